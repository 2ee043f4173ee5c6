import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EntryEnds } from '../../lib/redis/entry-ends.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  open.splice(0).forEach((ends) => ends.close());
  jest.useRealTimers();
});

const open: EntryEnds[] = [];

/** `replies` are what the calls answer, in turn; then that no entry ends. */
function start(...replies: (number | Error)[]) {
  const calls: number[] = [];
  const begun = performance.now();
  const ends = new EntryEnds(async () => {
    calls.push(performance.now() - begun);
    const reply = replies.shift();
    if (reply instanceof Error) throw reply;
    return reply;
  });
  open.push(ends);
  return { ends, calls };
}

describe('the ends of entries', () => {
  it('take no timer where no entry ends', async () => {
    const { ends, calls } = start();
    expect(jest.getTimerCount()).toBe(0);
    ends.in(40);
    await jest.advanceTimersByTimeAsync(100_000);
    expect(calls).toEqual([40]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('are written by the process that set them when they are due, the earliest first', async () => {
    const { ends, calls } = start(60);
    ends.in(100);
    ends.in(40);
    ends.in(70);
    await jest.advanceTimersByTimeAsync(40);
    expect(calls).toEqual([40]);
    // Another process may write the one that the reply tells of.
    await jest.advanceTimersByTimeAsync(160);
    expect(calls).toHaveLength(2);
    expect(calls[1]).toBeGreaterThanOrEqual(100);
  });

  it('are looked for every 5 s while the next one is far away, and again after a failure', async () => {
    const { ends, calls } = start(60_000, new Error('no answer'), 60_000);
    ends.in(60_000);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(calls).toEqual([5_000]);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(calls).toEqual([5_000, 10_000]);
    await jest.advanceTimersByTimeAsync(1_100);
    expect(calls).toHaveLength(3);
  });

  it('that one call leaves are written by another at once', async () => {
    const { ends, calls } = start(0, 0);
    ends.in(10);
    await jest.advanceTimersByTimeAsync(13);
    expect(calls).toHaveLength(3);
  });

  it('that are set during a call are not forgotten', async () => {
    let answer = (_next: number | undefined): void => {};
    let calls = 0;
    const ends = new EntryEnds(() => {
      calls++;
      return new Promise((resolve) => (answer = resolve));
    });
    open.push(ends);
    ends.in(10);
    await jest.advanceTimersByTimeAsync(10);
    ends.in(20);
    await jest.advanceTimersByTimeAsync(50);
    expect(calls).toBe(1);
    answer(undefined);
    await jest.advanceTimersByTimeAsync(1);
    expect(calls).toBe(2);
  });

  it('are left to others after close', async () => {
    const { ends, calls } = start();
    ends.in(10);
    ends.close();
    ends.in(5);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(calls).toEqual([]);
  });
});
