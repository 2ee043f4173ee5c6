import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { poll } from 'nestjs-eventstream';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('poll()', () => {
  it('asks at once and then in each interval, and emits the answers', async () => {
    const answers: number[] = [];
    let n = 0;
    const subscription = poll(1_000, () => ++n).subscribe((answer) => answers.push(answer));
    await jest.advanceTimersByTimeAsync(0);
    expect(answers).toEqual([1]);
    await jest.advanceTimersByTimeAsync(999);
    expect(answers).toEqual([1]);
    await jest.advanceTimersByTimeAsync(1);
    expect(answers).toEqual([1, 2]);
    await jest.advanceTimersByTimeAsync(3_000);
    expect(answers).toEqual([1, 2, 3, 4, 5]);
    subscription.unsubscribe();
  });

  // feature: 23
  it('never has two calls at a time: what falls into a slow one is left out', async () => {
    let running = 0;
    let most = 0;
    const fn = jest.fn(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      return running--;
    });
    const subscription = poll(1_000, fn).subscribe();
    await jest.advanceTimersByTimeAsync(9_000);
    expect(most).toBe(1);
    // At 0, 3, 6 and 9 seconds: each takes 2.5.
    expect(fn).toHaveBeenCalledTimes(4);
    subscription.unsubscribe();
  });

  it('stops with its subscriber, and leaves no timer behind', async () => {
    const fn = jest.fn(() => 1);
    const subscription = poll(1_000, fn).subscribe();
    await jest.advanceTimersByTimeAsync(2_000);
    subscription.unsubscribe();
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(fn).toHaveBeenCalledTimes(3);
  });

  it('does not emit the answer of a call that its subscriber did not wait for', async () => {
    const next = jest.fn();
    let answer!: (value: string) => void;
    const subscription = poll(
      1_000,
      () => new Promise<string>((done) => (answer = done)),
    ).subscribe(next);
    await jest.advanceTimersByTimeAsync(0);
    subscription.unsubscribe();
    answer('late');
    await jest.advanceTimersByTimeAsync(0);
    expect(next).not.toHaveBeenCalled();
  });

  it.each<[string, () => number | Promise<number>]>([
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
  ])('ends with the error of a call that %s', async (_title, fn) => {
    const error = jest.fn();
    poll(1_000, fn).subscribe({ error });
    await jest.advanceTimersByTimeAsync(0);
    expect(error.mock.calls).toEqual([[new Error('down')]]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '1000', null, undefined])(
    'refuses the interval %p at once',
    (intervalMs) => {
      expect(() => poll(intervalMs as number, () => 1)).toThrow(
        expect.objectContaining({ code: 'SSE_OPTIONS', path: 'poll(intervalMs)' }),
      );
    },
  );

  // feature: 21
  it('says what was expected and what came', () => {
    expect(() => poll(0, () => 1)).toThrow('poll(intervalMs): expected a positive integer, got 0');
  });
});
