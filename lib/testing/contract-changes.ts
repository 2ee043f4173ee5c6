import assert from 'node:assert/strict';
import type { RoomEntries } from '../log/entries.js';
import type { EventLog } from '../log/event-log.js';
import type { Position } from '../wire/cursor.js';
import { deleting, roomOf, setting, valuesOf } from './contract-support.js';
import { inPieces } from './in-pieces.js';

const ROOM = 'changing';
/** More than a log would read in one piece. */
const KEYS = 1_500;
const CHANGES = 400;

interface Change {
  readonly position: Position;
  readonly key: string;
  /** `undefined`: the key was deleted. */
  readonly value: number | undefined;
}

/**
 * Reads entries while others change them, and checks that each read is the state at its position.
 */
export async function readWhileChanging(log: EventLog): Promise<void> {
  const changes: Change[] = [];
  const change = async (key: string, value: number | undefined): Promise<void> => {
    const event = value === undefined ? deleting(ROOM, key) : setting(ROOM, key, value);
    const { position } = await log.append(event);
    if (position !== undefined) changes.push({ position, key, value });
  };
  const keys = Array.from({ length: KEYS }, (_, n) => `key ${n}`);
  await inPieces(keys, (key) => change(key, 0));
  const writing = async (): Promise<void> => {
    for (let n = 1; n <= CHANGES; n++) {
      // Over all keys, with a step that shares no factor with their number.
      const key = keys[(n * 347) % KEYS] ?? '';
      await Promise.all([change(key, n), change(keys[(n * 7) % KEYS] ?? '', undefined)]);
    }
  };
  const written = new AbortController();
  const reads: RoomEntries[] = [];
  const reading = async (): Promise<void> => {
    while (!written.signal.aborted) {
      reads.push(await roomOf(log, ROOM));
      await new Promise(setImmediate);
    }
  };
  await Promise.all([writing().finally(() => written.abort()), reading()]);
  changes.sort((a, b) => a.position - b.position);
  for (const read of [...reads, await roomOf(log, ROOM)]) check(read, changes);
  assert.ok(reads.length > 0, 'some reads were made during the changes');
}

function check(read: RoomEntries, changes: readonly Change[]): void {
  const expected = new Map<string, number>();
  for (const { position, key, value } of changes) {
    if (position > read.position) break;
    expected.delete(key);
    if (value !== undefined) expected.set(key, value);
  }
  assert.deepEqual(valuesOf(read), [...expected]);
  const isEarlier = read.events.every(({ position }) => position <= read.position);
  assert.ok(isEarlier, 'no entry is newer than the read');
}
