import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { Ring } from '../../lib/log/ring.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { NewEvent, RoomState } from '../../lib/log/event-log.js';
import { encodeBody, type SseMessage } from '../../lib/wire/frame.js';
import { collector, heapOf } from '../support/collector.js';

const FOLLOWER = { event() {}, rooms: () => [], lost() {}, caughtUp() {} };

const newEvent = (data: unknown, ephemeral = false): NewEvent => {
  const message: SseMessage = { data };
  return { rooms: ['a'], message, body: encodeBody(message), ephemeral };
};

const stateOf = async (log: MemoryEventLog, room: string, after = 0): Promise<RoomState> => {
  const [state] = (await log.read([room], { after, maxEvents: 1e9, maxBytes: 1e15 })).rooms;
  return state!;
};

/** A log on a clock of the day that shows these times, the last one for ever. */
const logAt = (...times: number[]): MemoryEventLog =>
  new MemoryEventLog(SSE_DEFAULTS.history, {
    wallClock: () => (times.length > 1 ? times.shift() : times[0]) ?? 0,
  });

describe('the log in memory', () => {
  // fault: 14
  it.each([
    ['goes on', [1, 2, 3, 4], [2_000, 3_000, 4_000]],
    ['stands still', [1], [1_001, 1_002, 1_003]],
    ['goes back', [5, 4, 3, 2], [5_001, 5_002, 5_003]],
    ['goes back and catches up', [5, 1, 6, 6], [5_001, 6_000, 6_001]],
  ])(
    'gives positions that strictly increase while the clock %s',
    async (_title, times, expected) => {
      const log = logAt(...times);
      const positions: (number | undefined)[] = [];
      for (const n of [1, 2, 3]) positions.push((await log.append(newEvent(n))).position);
      expect(positions).toEqual(expected);
    },
  );

  it('ages by a clock that nobody sets, if it is given none', async () => {
    jest.useFakeTimers();
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxAgeMs: 1_000 });
    await log.append(newEvent('x'));
    jest.setSystemTime(Date.now() - 3_600_000);
    jest.advanceTimersByTime(2_000);
    const { entries } = await stateOf(log, 'a');
    await log.close();
    jest.useRealTimers();
    expect(entries).toEqual([]);
  });

  it('hands each event to the follower within append(), in order', async () => {
    const log = logAt(1, 2);
    const seen: LoggedEvent[] = [];
    await log.follow({ ...FOLLOWER, event: (event) => seen.push(event) });
    const first = log.append(newEvent('x'));
    expect(seen.map((event) => event.message.data)).toEqual(['x']);
    const second = log.append(newEvent('y'));
    expect(seen.map((event) => event.message.data)).toEqual(['x', 'y']);
    expect(seen).toMatchObject([await first, await second]);
  });

  it('tells the head to a follower, who gets exactly what comes after it', async () => {
    const log = logAt(1);
    const before = await log.append(newEvent('before'));
    const seen: LoggedEvent[] = [];
    const head = await log.follow({ ...FOLLOWER, event: (event) => seen.push(event) });
    expect(head).toMatchObject({ epoch: before.epoch, position: before.position });
    const after = await log.append(newEvent('after'));
    expect(seen).toMatchObject([after]);
    expect(after.position).toBeGreaterThan(head.position);
  });

  it('gives an ephemeral event no position, and hands it on', async () => {
    const log = logAt(1);
    const seen: LoggedEvent[] = [];
    const { position } = await log.follow({ ...FOLLOWER, event: (event) => seen.push(event) });
    const event = await log.append(newEvent('typing', true));
    expect(event.position).toBeUndefined();
    expect(seen).toMatchObject([event]);
    expect((await log.append(newEvent('x'))).position).toBe(position + 1);
  });

  // feature: 51
  // fault: 14
  it('has an epoch of its own, safe in a cursor', async () => {
    const epochs = [];
    for (const log of [logAt(1), logAt(1)]) epochs.push((await log.append(newEvent(1))).epoch);
    expect(epochs[0]).not.toBe(epochs[1]);
    for (const epoch of epochs) expect(epoch).toMatch(/^[A-Za-z0-9_-]{8}$/);
  });

  it('refuses with SSE_CLOSED after close(), and calls nobody', async () => {
    const log = logAt(1);
    const seen: LoggedEvent[] = [];
    await log.follow({ ...FOLLOWER, event: (event) => seen.push(event) });
    await log.close();
    await log.close();
    await expect(log.append(newEvent('x'))).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    expect(seen).toEqual([]);
  });
});

const inRooms = (rooms: string[], data: unknown): NewEvent => {
  const message: SseMessage = { data };
  return { rooms, message, body: encodeBody(message) };
};
const count = async (log: MemoryEventLog, room: string): Promise<number> =>
  (await stateOf(log, room)).entries.length;

describe('what the log in memory keeps', () => {
  // feature: 52
  it('goes by age, also when nothing is published any more, and its timer with it', async () => {
    jest.useFakeTimers();
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxAgeMs: 60_000 });
    await log.append(inRooms(['a'], 'x'));
    jest.advanceTimersByTime(30_000);
    await log.append(inRooms(['a', 'b'], 'y'));
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(30_000);
    expect([await count(log, 'a'), await count(log, 'b')]).toEqual([1, 1]);
    jest.advanceTimersByTime(30_000);
    expect([await count(log, 'a'), await count(log, 'b')]).toEqual([0, 0]);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  // feature: 52
  it('is as much as fits: the oldest go first, whatever their room', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxBytes: 10_000 });
    for (let n = 0; n < 50; n++)
      await log.append(inRooms([n % 2 === 0 ? 'a' : 'b'], 'x'.repeat(200)));
    expect([await count(log, 'a'), await count(log, 'b')]).toEqual([5, 5]);
  });

  // feature: 52
  it('stays flat when ten times the window is published', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 2_000 });
    const publish = async (events: number): Promise<void> => {
      for (let n = 0; n < events; n++)
        await log.append(inRooms(['a', `b ${n % 3}`], `${n} ${'x'.repeat(200)}`));
    };
    const window = await heapOf(() => publish(8_000));
    const more = await heapOf(() => publish(80_000));
    expect(await count(log, 'a')).toBe(2_000);
    expect(more).toBeLessThan(window / 2);
    await log.close();
  });

  // feature: 60
  it('stays flat while 100 000 rooms come and go', async () => {
    let now = 1;
    const log = new MemoryEventLog(
      { ...SSE_DEFAULTS.history, maxAgeMs: 1_000 },
      { clock: () => now, wallClock: () => now },
    );
    const publish = async (rooms: number): Promise<void> => {
      for (let n = 0; n < rooms; n++) {
        now++;
        await log.append(inRooms([`room ${now}`], 'x'));
      }
    };
    const window = await heapOf(() => publish(5_000));
    const more = await heapOf(() => publish(100_000));
    expect(more).toBeLessThan(window);
    expect((await stateOf(log, 'room 7')).last).toBeGreaterThan(7_000);
    await log.close();
  });

  // feature: 49
  it('is found without looking at all of it', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 1e6 });
    const positions: number[] = [];
    for (let n = 0; n < 100_000; n++)
      positions.push((await log.append(inRooms(['a'], 'x'))).position ?? 0);
    const after = positions[70_000] ?? 0;
    let looks = 0;
    const rings: {
      firstIndex: (this: Ring<unknown>, isAfter: (item: unknown) => boolean) => number;
    } = Ring.prototype;
    const { firstIndex } = rings;
    jest.spyOn(Ring.prototype, 'firstIndex').mockImplementation(function (
      this: Ring<unknown>,
      isAfter,
    ) {
      return firstIndex.call(this, (item) => (looks++, isAfter(item)));
    });
    const [entry] = (await stateOf(log, 'a', after)).entries;
    expect(entry?.event.position).toBe(positions[70_001]);
    expect(looks).toBeLessThan(20);
    jest.restoreAllMocks();
    await log.close();
  });
});

describe('the memory that the log takes', () => {
  const BUDGET = 8 * 2 ** 20;
  /** A text of its own each time, as from a request. */
  const text = (length: number): string => Buffer.alloc(length, 'x').toString();
  const object = (n: number): object =>
    JSON.parse(`{"no":${n},"status":"created","items":[{"name":"Mug","price":12.5}],"note":"${text(100)}"}`); // prettier-ignore

  it.each<[string, number, (n: number) => NewEvent]>([
    ['of 20 bytes in one room', 60_000, (n) => inRooms(['a'], `${n} ${text(10)}`)],
    ['of 200 bytes in one room', 40_000, (n) => inRooms(['a'], object(n))],
    ['of 1 MB', 40, () => inRooms(['a'], text(1_000_000))],
    ['of 1 MB of Greek', 40, () => inRooms(['a'], Buffer.alloc(1_000_000, 'ω').toString())],
    ['each in a room of its own', 50_000, (n) => inRooms([`room ${n} of many`], `${n}`)],
    [
      'each in a thousand rooms',
      400,
      (n) =>
        inRooms(
          Array.from({ length: 1_000 }, (_none, room) => `follower ${room} of somebody`),
          `${n}`,
        ),
    ],
    ['in rooms named by parts of long URLs', 3_000, (n) => inRooms([`${n} ${text(20_000)}`.slice(0, 20)], 1)], // prettier-ignore
    ['with keys', 100_000, (n) => ({ ...inRooms(['a'], 1), ephemeral: true, key: `order ${n} created` })], // prettier-ignore
  ])('is within half more than its budget for events %s', async (_title, events, event) => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 1e6, maxBytes: BUDGET });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    let most = 0;
    const heap = await heapOf(async () => {
      for (let n = 0; n < events; n++) {
        await log.append(event(n));
        most = Math.max(most, log.bytes);
      }
    });
    warn.mockRestore();
    expect(most).toBeLessThanOrEqual(BUDGET);
    expect(heap).toBeLessThan(1.5 * BUDGET);
    await log.close();
    expect(log.bytes).toBe(0);
  });

  it('is counted back to nothing when rooms let go by number, by age and by size', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    let now = 0;
    const log = new MemoryEventLog(
      { maxEvents: 3, maxAgeMs: 1_000, maxBytes: 20_000 },
      { clock: () => now },
    );
    for (let n = 0; n < 500; n++) {
      now += n % 7;
      await log.append({ ...inRooms(['all', `room ${n % 11}`], text(n)), key: `key ${n}` });
      expect(log.bytes).toBeLessThanOrEqual(20_000);
    }
    now += 400_000;
    await log.append({ ...inRooms(['a'], 1), ephemeral: true, key: 'the last' });
    await count(log, 'a');
    expect(log.bytes).toBeLessThan(300);
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
    await log.close();
  });

  it('is given back in time where a key is kept for longer than an event', async () => {
    jest.useFakeTimers();
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxAgeMs: 2_000 });
    await log.append({ ...inRooms(['a'], text(1_000)), key: 'k' });
    jest.advanceTimersByTime(2_200);
    expect(log.bytes).toBeLessThan(300);
    jest.advanceTimersByTime(330_000);
    expect(log.bytes).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('is not taken by events that no room keeps any more, while an older one is kept', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 1 });
    await log.append(inRooms(['quiet'], 'x'));
    const gone: WeakRef<object>[] = [];
    for (let n = 0; n < 20; n++) {
      const event = inRooms(['busy'], { n });
      gone.push(new WeakRef(event.message.data as object));
      await log.append(event);
    }
    await turn();
    collector()();
    expect(gone.slice(0, -1).filter((ref) => ref.deref() !== undefined)).toEqual([]);
    await log.close();
  });
});

describe('keys of events', () => {
  const keyed = (key: string): NewEvent => ({ ...inRooms(['a'], key), key });

  it('are kept in half of the memory: the oldest go first, and that is told with its remedy', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    let now = 0;
    const log = new MemoryEventLog(
      { ...SSE_DEFAULTS.history, maxBytes: 100_000 },
      { clock: () => now },
    );
    const first = await log.append(keyed('key 0'));
    for (let n = 1; n < 1_000; n++) {
      now += 100;
      await log.append({ ...keyed(`key ${n}`), ephemeral: true });
    }
    expect(log.bytes).toBeLessThanOrEqual(100_000);
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(
          /half of history\.maxBytes \(100000\).*sends a second event.*Raise history/,
        ),
      ],
    ]);
    warn.mockRestore();
    expect((await log.append(keyed('key 0'))).position).toBeGreaterThan(first.position ?? 0);
    const newest = await log.append(keyed('new'));
    expect(await log.append(keyed('new'))).toEqual(newest);
    await log.close();
  });
});

describe.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('a clock of the day that is set %s by an hour', (_title, step) => {
  it('changes neither how long events are kept nor how long keys are', async () => {
    let [now, offset] = [10_000_000, 0];
    const log = new MemoryEventLog(
      { ...SSE_DEFAULTS.history, maxAgeMs: 1_000 },
      { clock: () => now, wallClock: () => now + offset },
    );
    const first = await log.append({ ...inRooms(['a'], 1), key: 'k' });
    offset = step;
    now += 999;
    const second = await log.append(inRooms(['a'], 2));
    expect(second.position).toBeGreaterThan(first.position ?? 0);
    expect(await count(log, 'a')).toBe(2);
    now += 1;
    expect(await count(log, 'a')).toBe(1);
    now += 298_999;
    expect(await log.append({ ...inRooms(['a'], 3), key: 'k' })).toEqual(first);
    now += 1;
    expect((await log.append({ ...inRooms(['a'], 3), key: 'k' })).position).toBeGreaterThan(
      second.position ?? 0,
    );
    await log.close();
  });
});
