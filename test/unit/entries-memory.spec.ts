// What the entries of a log in memory count.
import { describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS, type SetOptions } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

/** How many entries fit into 100 000 bytes. */
async function fitting(roomOf: (n: number) => string, options?: SetOptions): Promise<number> {
  const state = { maxKeys: 10_000, maxBytes: 100_000 };
  const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history, { state }));
  await hub.start();
  const set = (n: number) =>
    hub.state<Record<string, number>>(roomOf(n)).set(`key ${n}`, n, options);
  let count = 0;
  const fill = async (): Promise<never> => {
    for (;;) await set(count++);
  };
  const full = { code: 'SSE_LIMIT', limit: 'state.maxBytes' };
  await expect(fill()).rejects.toMatchObject(full);
  // What was freed is free again, for the same number.
  for (let n = 0; n < count - 1; n++) {
    await hub.state<Record<string, number>>(roomOf(n)).delete(`key ${n}`);
  }
  for (let n = 0; n < count - 1; n++) await set(n);
  await expect(set(count - 1)).rejects.toMatchObject(full);
  await hub.close();
  return count - 1;
}

describe('the entries of a log in memory', () => {
  it('count their ends and their rooms, which take memory as well', async () => {
    const plain = await fitting(() => 'a');
    const ending = await fitting(() => 'a', { ttlMs: 60_000 });
    const alone = await fitting((n) => `room ${n}`);
    // Measured: an entry with an end takes 1.3 times as much, and one with its own room 1.5 times.
    expect(plain / ending).toBeGreaterThan(1.2);
    expect(plain / alone).toBeGreaterThan(1.4);
  });
});
