import { describe, expect, it } from '@jest/globals';
import {
  formatCursor,
  joinPositions,
  parseCursors,
  type ReaderPosition,
} from '../../lib/wire/cursor.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { encodeBody } from '../../lib/wire/frame.js';
import { SSE_DEFAULTS } from '../../lib/options/defaults.js';
import type { RoomEntry } from '../../lib/log/event-log.js';
import { isCovered, positionIn, readMissed } from '../../lib/log/resume.js';

const HEAD = { epoch: 'now', position: 100 };

describe('what a last event ID says to a log', () => {
  it.each([
    ['1.now.2s', 100],
    ['1.now.1', 1],
    ['1.now.0', 0],
    ['1.now.2t', 'unknown'],
    ['1.old.1', 'epoch'],
    ['1.old.1~1.now.2', 2],
    ['1.now.2~1.old.1', 2],
    ['1.old.1~1.older.2', 'epoch'],
    ['', 'unknown'],
    ['7', 'unknown'],
    ['1.now.02', 'unknown'],
    ['1.now.2~', 'unknown'],
    ['1.now.2 ', 'unknown'],
    [`1.now.${'z'.repeat(11)}`, 'unknown'],
    [`${'1.old.1~'.repeat(16)}1.now.1`, 'unknown'],
  ])('%s: %p', (text, says) => {
    expect(positionIn(HEAD, text)).toBe(says);
  });
});

describe('what a last event ID says to a log that knows where its epoch began', () => {
  it.each([
    ['1.now.1d', 'unknown'],
    ['1.now.1e', 50],
    ['1.now.1f', 51],
    ['1.now.2s', 100],
  ])('%s: %p', (text, says) => {
    expect(positionIn({ ...HEAD, begin: 50 }, text)).toBe(says);
  });

  it('takes what an empty log gave out', async () => {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const head = await log.head();
    const message = { data: 'x' };
    await log.append({ rooms: ['a'], message, body: encodeBody(message) });
    expect(positionIn(await log.head(), formatCursor(head))).toBe(head.position);
  });
});

describe('a room is covered', () => {
  const entry = (previous: number) => ({ previous }) as RoomEntry;
  it.each([
    ['when the next event follows one that the client has', 5, 9, entry(5), true],
    ['when the next event follows an older one', 5, 9, entry(3), true],
    ['not when the next event follows one that it lacks', 5, 9, entry(6), false],
    ['when nothing came after its cursor', 5, 5, undefined, true],
    ['when there never was anything', 5, 0, undefined, true],
    ['not when something came and is not kept', 5, 6, undefined, false],
  ])('%s', (_title, after, last, first, covered) => {
    expect(isCovered(after, last, first)).toBe(covered);
  });
});

describe('one last event ID for several streams', () => {
  const at = (epoch: string, position: number | undefined, isHeld = false): ReaderPosition => ({
    epoch,
    position,
    isHeld,
  });
  it.each<[string, ReaderPosition[], string | undefined]>([
    ['none', [], undefined],
    ['one', [at('a', 35)], '1.a.z'],
    ['two hubs', [at('a', 35), at('b', 36)], '1.a.z~1.b.10'],
    ['one hub twice: the further one', [at('a', 34), at('a', 35)], '1.a.z'],
    ['one that holds back', [at('a', 34, true), at('a', 35)], '1.a.y'],
    ['two that hold back', [at('a', 34, true), at('a', 33, true)], '1.a.x'],
    ['one that does not know yet', [at('a', undefined, true), at('a', 35)], undefined],
    ['one hub that does not know yet', [at('a', undefined, true), at('b', 36)], '1.b.10'],
  ])('%s', (_title, streams, text) => {
    expect(joinPositions(streams)).toBe(text);
    expect(parseCursors(text ?? '1.a.0')).toBeDefined();
  });
});

describe('what was missed in several rooms', () => {
  it('counts an event of two rooms once against the cap', async () => {
    const log = new MemoryEventLog(SSE_DEFAULTS.history);
    const message = { data: 'x' };
    const body = encodeBody(message);
    const { epoch, position = 0 } = await log.append({ rooms: ['a'], message, body });
    for (let n = 0; n < 600; n++) await log.append({ rooms: ['a', 'b'], message, body });
    const missed = await readMissed(log, ['a', 'b'], formatCursor({ epoch, position }));
    expect([missed.gaps, missed.events.length]).toEqual([[], 600]);
  });
});
