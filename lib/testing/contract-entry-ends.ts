import assert from 'node:assert/strict';
import { Deferred } from '../ground/deferred.js';
import type { EventLog, NewEvent } from '../log/event-log.js';
import type { LoggedEvent } from '../log/event.js';
import {
  cursorOf,
  deleting,
  listening,
  roomOf,
  setting,
  valuesOf,
  type ContractCase,
  type WithLog,
} from './contract-support.js';
import { inPieces } from './in-pieces.js';

const SHORT_MS = 50;
const LONG_MS = 60_000;

/** Entries with a ttl. */
export function entryEndCases(withLog: WithLog): ContractCase[] {
  return [
    [
      'an entry with a ttl ends by one event, which followers get',
      withLog(async (log) => {
        const seen = new Seen();
        const { position: start } = await log.follow(listening(seen.add));
        const set = await log.append(ending('a', 'k', 1, SHORT_MS));
        const end = await seen.end('k');
        assert.ok((end.position ?? 0) > (set.position ?? start));
        assert.deepEqual([end.rooms, end.message.type], [['a'], 'delete']);
        await refuses(log, 'k', set.epoch, set.position ?? 0);
        assert.equal(await log.entry('a', 'k'), undefined);
        assert.deepEqual((await roomOf(log, 'a')).events, []);
        const { position, entries } = await log.head();
        assert.deepEqual([position, entries], [end.position, 0]);
        await log.append(setting('a', 'k', 2, { condition: 'absent' }));
        assert.deepEqual(seen.ends, ['k']);
      }),
    ],
    [
      'an entry that is set again ends with its new ttl, or never',
      withLog(async (log) => {
        const seen = new Seen();
        await log.follow(listening(seen.add));
        for (const key of ['renewed', 'kept', 'deleted', 'shortened']) {
          await log.append(ending('a', key, 1, key === 'shortened' ? LONG_MS : SHORT_MS));
        }
        await log.append(ending('a', 'renewed', 2, LONG_MS));
        await log.append(setting('a', 'kept', 2));
        await log.append(deleting('a', 'deleted'));
        await log.append(ending('a', 'shortened', 2, SHORT_MS));
        // Ends after those of the others would have.
        await log.append(ending('a', 'last', 1, 2 * SHORT_MS));
        await seen.end('last');
        const { events } = await roomOf(log, 'a');
        assert.deepEqual(valuesOf({ events }), [
          ['renewed', 2],
          ['kept', 2],
        ]);
        assert.deepEqual(seen.ends, ['deleted', 'shortened', 'last']);
      }),
    ],
    [
      'many entries that end together end once each, in rooms of their own',
      withLog(async (log) => {
        const seen = new Seen();
        await log.follow(listening(seen.add));
        const keys = Array.from({ length: 250 }, (_, n) => `key ${n}`);
        await inPieces(keys, (key, n) => log.append(ending(`room ${n % 3}`, key, n, SHORT_MS)));
        await Promise.all(keys.map((key) => seen.end(key)));
        assert.deepEqual([...seen.ends].sort(), [...keys].sort());
        const { position, entries } = await log.head();
        assert.deepEqual([seen.last, entries], [position, 0]);
        for (const room of ['room 0', 'room 1', 'room 2']) {
          assert.deepEqual((await roomOf(log, room)).events, []);
        }
      }),
    ],
    [
      'an entry that ends is refused, replaced and deleted like any other until then',
      withLog(async (log) => {
        const set = await log.append(ending('a', 'k', 1, LONG_MS));
        await assert.rejects(log.append(setting('a', 'k', 2, { condition: 'absent' })), {
          code: 'SSE_CONFLICT',
        });
        const condition = cursorOf(set);
        const again = await log.append(ending('a', 'k', 2, LONG_MS, condition));
        assert.equal((await log.entry('a', 'k'))?.position, again.position);
        await log.append(deleting('a', 'k', cursorOf(again)));
        assert.equal(await log.entry('a', 'k'), undefined);
      }),
    ],
  ];
}

/** An event that sets an entry with a ttl. */
function ending(
  room: string,
  key: string,
  value: unknown,
  ms: number,
  condition?: { readonly epoch: string; readonly position: number },
): NewEvent {
  const ttl = { ms, end: () => deleting(room, key) };
  return setting(room, key, value, { ttl, ...(condition && { condition }) });
}

async function refuses(log: EventLog, key: string, epoch: string, position: number): Promise<void> {
  const stale = setting('a', key, 2, { condition: { epoch, position } });
  await assert.rejects(log.append(stale), { code: 'SSE_CONFLICT', position: undefined });
  assert.equal((await log.append(deleting('a', key))).position, undefined);
}

/** What a follower gets. Fails for positions that are not in order. */
class Seen {
  /** The keys of the events that deleted an entry, in order. */
  readonly ends: string[] = [];
  last = 0;
  private readonly ended = new Map<string, Deferred<LoggedEvent>>();

  readonly add = (event: LoggedEvent): void => {
    assert.ok((event.position ?? 0) > this.last, 'events arrive once and in order');
    this.last = event.position ?? 0;
    const { type, data } = event.message;
    if (type !== 'delete') return;
    const { key } = data as { key: string };
    this.ends.push(key);
    this.of(key).resolve(event);
  };

  end(key: string): Promise<LoggedEvent> {
    return this.of(key).promise;
  }

  private of(key: string): Deferred<LoggedEvent> {
    const known = this.ended.get(key) ?? new Deferred<LoggedEvent>();
    this.ended.set(key, known);
    return known;
  }
}
