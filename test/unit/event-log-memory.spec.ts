import { describe, expect, it } from '@jest/globals';
import { MemoryEventLog } from '../../lib/event-log-memory.js';
import type { LoggedEvent } from '../../lib/event.js';
import type { NewEvent } from '../../lib/event-log.js';
import { encodeParts, type SseMessage } from '../../lib/frame.js';

const newEvent = (data: unknown, ephemeral = false): NewEvent => {
  const message: SseMessage = { data };
  return { rooms: ['a'], message, parts: encodeParts(message), ephemeral };
};

/** A log on a clock that shows these times, the last one for ever. */
const logAt = (...times: number[]): MemoryEventLog =>
  new MemoryEventLog(() => (times.length > 1 ? times.shift() : times[0]) ?? 0);

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
    await log.follow((event) => seen.push(event));
    const first = log.append(newEvent('x'));
    expect(seen.map((event) => event.message.data)).toEqual(['x']);
    const second = log.append(newEvent('y'));
    expect(seen.map((event) => event.message.data)).toEqual(['x', 'y']);
    expect(seen).toEqual([await first, await second]);
  });

  it('tells the head to a follower, who gets exactly what comes after it', async () => {
    const log = logAt(1);
    const before = await log.append(newEvent('before'));
    const seen: LoggedEvent[] = [];
    const head = await log.follow((event) => seen.push(event));
    expect(head).toMatchObject({ epoch: before.epoch, position: before.position });
    const after = await log.append(newEvent('after'));
    expect(seen).toEqual([after]);
    expect(after.position).toBeGreaterThan(head.position);
  });

  it('gives an ephemeral event no position, and hands it on', async () => {
    const log = logAt(1);
    const seen: LoggedEvent[] = [];
    const { position } = await log.follow((event) => seen.push(event));
    const event = await log.append(newEvent('typing', true));
    expect(event.position).toBeUndefined();
    expect(seen).toEqual([event]);
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
    await log.follow((event) => seen.push(event));
    await log.close();
    await log.close();
    await expect(log.append(newEvent('x'))).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    expect(seen).toEqual([]);
  });
});
