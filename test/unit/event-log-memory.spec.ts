import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import { MemoryEventLog } from '../../lib/event-log-memory.js';
import { Ring } from '../../lib/ring.js';
import type { LoggedEvent } from '../../lib/event.js';
import type { NewEvent, RoomState } from '../../lib/event-log.js';
import { SSE_DEFAULTS } from '../../lib/sse.options.js';
import { encodeParts, type SseMessage } from '../../lib/frame.js';

const FOLLOWER = { event() {}, rooms: () => [], lost() {}, caughtUp() {} };

const newEvent = (data: unknown, ephemeral = false): NewEvent => {
  const message: SseMessage = { data };
  return { rooms: ['a'], message, parts: encodeParts(message), ephemeral };
};

const stateOf = async (log: MemoryEventLog, room: string, after = 0): Promise<RoomState> => {
  const [state] = (await log.read([room], { after, maxEvents: 1e9, maxBytes: 1e15 })).rooms;
  return state!;
};

/** A log on a clock that shows these times, the last one for ever. */
const logAt = (...times: number[]): MemoryEventLog =>
  new MemoryEventLog(SSE_DEFAULTS.history, {
    clock: () => (times.length > 1 ? times.shift() : times[0]) ?? 0,
  });

describe('the log in memory', () => {
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

describe('what the log in memory keeps', () => {
  const inRooms = (rooms: string[], data: string): NewEvent => {
    const message: SseMessage = { data };
    return { rooms, message, parts: encodeParts(message) };
  };
  const count = async (log: MemoryEventLog, room: string): Promise<number> =>
    (await stateOf(log, room)).entries.length;
  const heapOf = async (fill: () => Promise<unknown>): Promise<number> => {
    const gc = (globalThis as { gc?: () => void }).gc ?? (await exposedGc());
    gc();
    const before = process.memoryUsage().heapUsed;
    await fill();
    gc();
    return process.memoryUsage().heapUsed - before;
  };

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

  it('is as much as fits: the oldest go first, whatever their room', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxBytes: 1_000 });
    for (let n = 0; n < 50; n++)
      await log.append(inRooms([n % 2 === 0 ? 'a' : 'b'], 'x'.repeat(92)));
    expect([await count(log, 'a'), await count(log, 'b')]).toEqual([5, 5]);
  });

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

  it('stays flat while 100 000 rooms come and go', async () => {
    let now = 1;
    const log = new MemoryEventLog(
      { ...SSE_DEFAULTS.history, maxAgeMs: 1_000 },
      { clock: () => now },
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

  it('is found without looking at all of it', async () => {
    const log = new MemoryEventLog({ ...SSE_DEFAULTS.history, maxEvents: 1e6 });
    const positions: number[] = [];
    for (let n = 0; n < 100_000; n++)
      positions.push((await log.append(inRooms(['a'], 'x'))).position ?? 0);
    const after = positions[70_000] ?? 0;
    let looks = 0;
    const { firstIndex } = Ring.prototype as unknown as {
      firstIndex: (this: Ring<unknown>, isAfter: (item: unknown) => boolean) => number;
    };
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

/** The collector, which Node shows only when asked. */
async function exposedGc(): Promise<() => void> {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
