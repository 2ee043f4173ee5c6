import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { endInTurn } from '../../lib/connection/drain.js';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

function streams(count: number) {
  const open = new Set(Array.from({ length: count }, (_none, n) => n));
  return {
    open,
    list: () => [...open],
    get count() {
      return open.size;
    },
  };
}

/** When which was ended. */
async function drained(
  of: ReturnType<typeof streams>,
  windowMs: number,
  after = (_ms: number) => {},
) {
  const start = performance.now();
  const ends: [number, number][] = [];
  const over = endInTurn(of, windowMs, (stream) => {
    ends.push([stream, performance.now() - start]);
    of.open.delete(stream);
  });
  for (let ms = 0; ms < windowMs + 50; ms += 5) {
    after(ms);
    await jest.advanceTimersByTimeAsync(5);
  }
  await over;
  return ends;
}

describe('streams that are ended in turn', () => {
  it('are all ended once within the window, evenly, and in random order', async () => {
    const ends = await drained(streams(1_000), 2_000);
    const order = ends.map(([stream]) => stream);
    expect(new Set(order).size).toBe(1_000);
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
    const perTenth = Array.from(
      { length: 10 },
      (_none, tenth) => ends.filter(([, at]) => Math.floor(at / 200) === tenth).length,
    );
    expect(Math.min(...perTenth)).toBeGreaterThan(80);
    expect(Math.max(...perTenth)).toBeLessThan(120);
  });

  it('are not held up when they are few', async () => {
    const ends = await drained(streams(3), 4_000);
    expect(Math.max(...ends.map(([, at]) => at))).toBeLessThanOrEqual(30);
  });

  it('are ended at once without a window', async () => {
    expect(await drained(streams(100), 0)).toHaveLength(100);
  });

  it('are no longer waited for when all have left', async () => {
    const of = streams(100);
    const ends = await drained(of, 1_000, (ms) => {
      if (ms === 500) of.open.clear();
    });
    expect(ends.length).toBeLessThan(60);
  });

  it('may be none', async () => {
    expect(await drained(streams(0), 100)).toEqual([]);
  });
});
