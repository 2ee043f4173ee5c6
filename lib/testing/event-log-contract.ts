import assert from 'node:assert/strict';
import type { LoggedEvent } from '../log/event.js';
import type {
  Appended,
  EventLog,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomState,
} from '../log/event-log.js';
import type { HistoryOptions } from '../log/history.options.js';
import { encodeBody } from '../wire/frame.js';
import { Deferred } from '../ground/deferred.js';

/**
 * Creates an empty log with this history. The suite closes it.
 * @publicApi
 */
export type OpenLog = (history: Required<HistoryOptions>) => Promise<EventLog> | EventLog;

/**
 * A title, and a function that rejects if the log breaks the contract.
 * @publicApi
 */
export type ContractCase = readonly [title: string, run: () => Promise<void>];

const ROOMY = { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 };

/**
 * Test cases for any test runner, which check that a log fulfils the contract of `EventLog`.
 * @example
 * ```ts
 * it.each(eventLogContract((history) => new MyLog(history)))('%s', (_title, run) => run());
 * ```
 * @publicApi
 */
export function eventLogContract(open: OpenLog): ContractCase[] {
  const withLog =
    (run: (log: EventLog) => Promise<void>, history = ROOMY) =>
    async (): Promise<void> => {
      const log = await open(history);
      try {
        await run(log);
      } finally {
        await log.close();
      }
    };

  return [
    [
      'positions increase strictly over all rooms',
      withLog(async (log) => {
        const { position: start } = await log.head();
        const events = await appendAll(log, 200, (n) => [`room ${n % 3}`]);
        const positions = events.map(({ position }) => position ?? Number.NaN);
        const increasing = positions.every((position, n) => position > (positions[n - 1] ?? start));
        assert.ok(
          increasing,
          `expected increasing positions after ${start}, got ${positions.join()}`,
        );
        assert.ok(positions.every(Number.isSafeInteger), 'expected whole positions');
        assert.equal((await log.head()).position, positions.at(-1));
      }),
    ],
    [
      'an epoch is a name for cursors, the same for head, events and follower',
      withLog(async (log) => {
        const { epoch } = await log.follow(listening(() => {}));
        assert.match(epoch, /^[\w-]{1,11}$/);
        assert.equal((await log.append(event(['a']))).epoch, epoch);
        assert.equal((await log.head()).epoch, epoch);
      }),
    ],
    [
      'a head that says where its epoch began names the position before its first event',
      withLog(async (log) => {
        const { begin, position } = await log.head();
        if (begin === undefined) return;
        assert.equal(begin, position);
        await appendAll(log, 3, () => ['a']);
        assert.equal((await log.head()).begin, position);
      }),
    ],
    [
      'an event is in each of its rooms, with the position of the one before it there',
      withLog(async (log) => {
        const rooms = [['a'], ['a', 'b'], ['b'], ['c', 'a']];
        const { position: start } = await log.head();
        const appended = await appendAll(log, rooms.length, (n) => rooms[n] ?? []);
        for (const room of ['a', 'b', 'c']) {
          const { entries, last } = await stateOf(log, room);
          const expected = appended.filter((_, n) => rooms[n]?.includes(room));
          const positions = positionsOf(entries);
          assert.deepEqual(
            positions,
            expected.map(({ position }) => position),
          );
          const [first, ...previous] = entries.map((entry) => entry.previous);
          assert.ok((first ?? Infinity) <= start, 'the first event of a room follows none of it');
          assert.deepEqual(previous, positions.slice(0, -1));
          assert.equal(last, positionsOf(entries).at(-1));
        }
        assert.deepEqual(await entriesOf(log, 'none'), []);
      }),
    ],
    [
      'what is read of an event is what was appended',
      withLog(async (log) => {
        const message = { type: 'order', data: { no: 7, text: 'ä✓\nb' }, retry: 5, comment: ['c'] };
        await log.append({ rooms: ['a', 'b'], message, body: encodeBody(message) });
        const [entry] = await entriesOf(log, 'a');
        assert.deepEqual(entry?.event.message, message);
        assert.equal(entry?.event.body, encodeBody(message));
        assert.deepEqual(entry?.event.rooms, ['a', 'b']);
      }),
    ],
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
      'a follower gets exactly what comes after the head it was answered, once and in order',
      withLog(async (log) => {
        await appendAll(log, 3, () => ['a']);
        const seen: LoggedEvent[] = [];
        const done = until(seen, 50);
        const { position } = await log.follow(listening(done.add));
        const appended = await appendAll(log, 50, (n) => (n % 2 === 0 ? ['a'] : ['a', 'b']));
        await done.promise;
        assert.deepEqual(
          seen.map((logged) => logged.position),
          appended.map((logged) => logged.position),
        );
        assert.ok(seen.every((logged) => (logged.position ?? 0) > position));
      }),
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
    [
      'an ephemeral event is handed on in its place, without a position, and not kept',
      withLog(async (log) => {
        const seen: LoggedEvent[] = [];
        const done = until(seen, 3);
        await log.follow(listening(done.add));
        const first = await log.append(event(['a']));
        const passing = await log.append({ ...event(['a']), ephemeral: true });
        const second = await log.append(event(['a']));
        await done.promise;
        assert.equal(passing.position, undefined);
        const expected = [first, passing, second].map(({ position }) => position);
        assert.deepEqual(
          seen.map(({ position }) => position),
          expected,
        );
        const kept = await entriesOf(log, 'a');
        assert.deepEqual(positionsOf(kept), [first.position, second.position]);
      }),
    ],
    [
      'a second event with the same key is answered as the first and not appended',
      withLog(async (log) => {
        const first = await log.append({ ...event(['a']), key: 'k' });
        const other = await log.append({ ...event(['a']), key: 'other' });
        const again = await log.append({ ...event(['a']), key: 'k' });
        assert.equal(again.position, first.position);
        const kept = await entriesOf(log, 'a');
        assert.deepEqual(positionsOf(kept), [first.position, other.position]);
      }),
    ],
    [
      'room names are data: also those that mean something to a language or a protocol',
      withLog(async (log) => {
        const names = ['__proto__', 'constructor', 'a b', '{a}', 'ä✓', '*', ':', 'a\'b"c\n', ' '];
        for (const name of names) await log.append(event([name]));
        for (const name of names) {
          const entries = await entriesOf(log, name);
          assert.deepEqual(
            entries.map((entry) => entry.event.rooms),
            [[name]],
          );
        }
      }),
    ],
    [
      'after close every call rejects with SSE_CLOSED, and the follower is not called',
      async () => {
        const log = await open(ROOMY);
        const seen: LoggedEvent[] = [];
        await log.follow(listening((logged) => seen.push(logged)));
        await log.close();
        await log.close();
        for (const call of [
          () => log.append(event(['a'])),
          () => log.head(),
          () => log.read(['a'], ALL),
        ]) {
          await assert.rejects(call, { code: 'SSE_CLOSED' });
        }
        assert.deepEqual(seen, []);
      },
    ],
  ];
}

/** Takes events only. Lost events fail the case. */
function listening(listener: (logged: LoggedEvent) => void): LogFollower {
  return {
    event: listener,
    rooms: () => [],
    lost: ({ rooms }) => assert.fail(`events of ${rooms.join()} were lost`),
    caughtUp: () => {},
  };
}

function event(rooms: readonly string[], data = 'x'): NewEvent {
  const message = { type: 'test', data };
  return { rooms, message, body: encodeBody(message) };
}

async function appendAll(
  log: EventLog,
  count: number,
  rooms: (n: number) => readonly string[],
): Promise<Appended[]> {
  const appended: Appended[] = [];
  for (let n = 0; n < count; n++) appended.push(await log.append(event(rooms(n), `event ${n}`)));
  return appended;
}

const ALL: RoomsRange = { after: 0, maxEvents: 1_000, maxBytes: ROOMY.maxBytes };

async function stateOf(
  log: EventLog,
  room: string,
  range: Partial<RoomsRange> = {},
): Promise<RoomState> {
  const { rooms } = await log.read([room], { ...ALL, ...range });
  const [state] = rooms;
  assert.ok(state !== undefined && rooms.length === 1, 'one answer for one room');
  return state;
}

async function entriesOf(
  log: EventLog,
  room: string,
  range?: Partial<RoomsRange>,
): Promise<readonly RoomEntry[]> {
  return (await stateOf(log, room, range)).entries;
}

function positionsOf(entries: readonly RoomEntry[]): number[] {
  return entries.map((entry) => entry.event.position);
}

function until(seen: LoggedEvent[], count: number) {
  const all = new Deferred<void>();
  const add = (logged: LoggedEvent): void => {
    seen.push(logged);
    if (seen.length === count) all.resolve();
  };
  return { promise: all.promise, add };
}
