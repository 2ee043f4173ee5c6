import assert from 'node:assert/strict';
import {
  ALL,
  appendAll,
  entriesOf,
  event,
  positionsOf,
  ROOMY,
  stateOf,
  type ContractCase,
  type WithLog,
} from './contract-support.js';
import type { RoomsRange } from '../log/event-log.js';

/** What is read of rooms, and what a log keeps. */
export function readCases(withLog: WithLog): ContractCase[] {
  return [
    [
      'a range begins after its cursor and ends at its limit, at either end',
      withLog(async (log) => {
        const events = await appendAll(log, 10, () => ['a']);
        const all = events.map(({ position }) => position ?? 0);
        const after = all[3] ?? 0;
        const read = async (maxEvents: number, newest: boolean) => {
          const range = { after, maxEvents, maxBytes: ROOMY.maxBytes, newest };
          const { entries, isWhole } = await stateOf(log, 'a', range);
          return [positionsOf(entries), isWhole];
        };
        assert.deepEqual(await read(100, false), [all.slice(4), true]);
        assert.deepEqual(await read(2, false), [all.slice(4, 6), false]);
        assert.deepEqual(await read(2, true), [all.slice(8), false]);
        assert.deepEqual(await read(100, true), [all.slice(4), true]);
        assert.deepEqual(await entriesOf(log, 'a', { after: all[9] ?? 0 }), []);
      }),
    ],
    [
      'all rooms of a read share its limits: those with the least come first, an event counts once',
      withLog(async (log) => {
        const appended = await appendAll(log, 60, (n) => [
          'busy',
          ...(n % 6 === 0 ? ['quiet'] : []),
        ]);
        await appendAll(log, 30, () => ['other']);
        const rooms = ['busy', 'other', 'none', 'quiet'];
        const read = async (range: Partial<RoomsRange>) => {
          const states = (await log.read(rooms, { ...ALL, ...range })).rooms;
          return states.map(({ entries, isWhole }) => [entries.length, isWhole]);
        };
        assert.deepEqual(
          await read({ maxEvents: 90 }),
          [60, 30, 0, 10].map((count) => [count, true]),
        );
        const [busy, other, none, quiet] = await read({ maxEvents: 50 });
        assert.deepEqual(
          [other, none, quiet],
          [
            [30, true],
            [0, true],
            [10, true],
          ],
        );
        assert.equal(busy?.[1], false);
        const after = appended[29]?.position ?? 0;
        const half = await read({ maxEvents: 60, after });
        assert.deepEqual(half, [
          [30, true],
          [30, true],
          [0, true],
          [5, true],
        ]);
      }),
    ],
    [
      'a read is bounded by bytes, and gives one event however large it is',
      withLog(async (log) => {
        for (let n = 0; n < 5; n++) await log.append(event(['a'], 'x'.repeat(10_000)));
        const few = await stateOf(log, 'a', { maxBytes: 25_000 });
        assert.deepEqual([few.entries.length, few.isWhole], [2, false]);
        const newest = await stateOf(log, 'a', { maxBytes: 25_000, newest: true });
        assert.deepEqual([newest.entries.length, newest.isWhole], [2, false]);
        assert.equal(newest.entries[1]?.event.position, newest.last);
        const one = await stateOf(log, 'a', { maxBytes: 100 });
        assert.deepEqual([one.entries.length, one.isWhole], [1, false]);
      }),
    ],
    [
      'the newest events of several rooms are read with an even share of the limits',
      withLog(async (log) => {
        await appendAll(log, 40, () => ['busy']);
        await appendAll(log, 3, () => ['quiet']);
        const { rooms } = await log.read(['busy', 'quiet'], {
          ...ALL,
          maxEvents: 20,
          newest: true,
        });
        assert.deepEqual(
          rooms.map(({ entries }) => entries.length),
          [17, 3],
        );
        const [busy] = rooms;
        assert.equal(busy?.entries.at(-1)?.event.position, busy?.last);
      }),
    ],
    [
      'a room keeps its newest events, and remembers what it let go',
      withLog(
        async (log) => {
          const busy = await appendAll(log, 10, () => ['busy']);
          const [quiet] = await appendAll(log, 1, () => ['quiet']);
          await appendAll(log, 10, () => ['busy']);
          const entries = await entriesOf(log, 'busy');
          assert.equal(entries.length, 4);
          const [first] = entries;
          assert.ok((first?.previous ?? 0) > (busy[9]?.position ?? 0), 'previous is a lost event');
          // A busy room does not evict events of a quiet one.
          const kept = await entriesOf(log, 'quiet');
          assert.deepEqual(positionsOf(kept), [quiet?.position]);
        },
        { ...ROOMY, maxEvents: 4 },
      ),
    ],
    [
      'a room without kept events is not taken for one that never had any',
      withLog(
        async (log) => {
          const before = await log.head();
          const [only] = await appendAll(log, 1, () => ['a']);
          // More than `maxBytes`, so everything older is evicted.
          await appendAll(log, 8, () => ['b']);
          const { entries, last } = await stateOf(log, 'a');
          assert.deepEqual(entries, []);
          assert.ok(last >= (only?.position ?? Infinity), 'the lost event is forgotten');
          assert.ok(last > before.position, 'a client from before it would not be told');
        },
        { ...ROOMY, maxBytes: 200 },
      ),
    ],
    [
      'an event may be for 20 000 rooms, and is one event',
      withLog(async (log) => {
        const rooms = Array.from({ length: 20_000 }, (_, n) => `room ${n}`);
        const before = await log.append(event(['room 7', 'room 19999']));
        const wide = await log.append({ ...event(rooms), key: 'wide' });
        for (const room of ['room 0', 'room 7', 'room 19999']) {
          const { entries, last } = await stateOf(log, room);
          const expected = room === 'room 0' ? [wide.position] : [before.position, wide.position];
          assert.deepEqual(positionsOf(entries), expected);
          assert.equal(last, wide.position);
        }
        const two = await log.read(['room 7', 'room 8'], { ...ALL, maxEvents: 2 });
        assert.ok(
          two.rooms.every(({ isWhole }) => isWhole),
          'it counts once',
        );
      }),
    ],
  ];
}
