import { describe, expect, it } from '@jest/globals';
import { parseRetryAfter, retryDelay } from '../../lib/client/back-off.js';

const HIGH = (): number => 1;
const LOW = (): number => 0;
const given = {
  retryMs: 1_000,
  failures: 0,
  maxBackoffMs: 30_000,
  retryAfterMs: undefined as number | undefined,
};

describe('the time until the next attempt', () => {
  it('is what the server asked for after a stream that brought something', () => {
    for (const random of [LOW, HIGH]) expect(retryDelay(given, random)).toBe(1_000);
    expect(retryDelay({ ...given, retryMs: 60_000 }, LOW)).toBe(60_000);
    expect(retryDelay({ ...given, retryMs: 0 }, HIGH)).toBe(0);
  });

  // feature: 94
  it.each([
    [1, 2_000],
    [2, 4_000],
    [4, 16_000],
    [5, 30_000],
    [5_000, 30_000],
  ])('is anything after %d failures, up to %d ms', (failures, limit) => {
    expect(retryDelay({ ...given, failures }, HIGH)).toBe(limit);
    expect(retryDelay({ ...given, failures }, LOW)).toBe(0);
    expect(retryDelay({ ...given, failures }, () => 0.5)).toBe(limit / 2);
  });

  it('may be longer than the longest pause where the server asks for it', () => {
    expect(retryDelay({ ...given, failures: 1, retryMs: 60_000 }, HIGH)).toBe(60_000);
    expect(retryDelay({ ...given, failures: 1, retryAfterMs: 90_000 }, HIGH)).toBe(90_000);
  });

  it('is not cut short by chance where the server named it', () => {
    expect(retryDelay({ ...given, failures: 1, retryAfterMs: 5_000 }, LOW)).toBe(5_000);
  });

  it('is not nothing after failures where the server sent retry: 0', () => {
    expect(retryDelay({ ...given, retryMs: 0, failures: 1 }, HIGH)).toBe(200);
  });

  it('is never more than a timer takes', () => {
    for (const retryMs of [2 ** 40, Infinity]) {
      expect(retryDelay({ ...given, retryMs }, HIGH)).toBe(2 ** 31 - 1);
      expect(retryDelay({ ...given, retryMs, failures: 3 }, HIGH)).toBe(2 ** 31 - 1);
    }
  });
});

describe('Retry-After', () => {
  const now = Date.parse('Sat, 21 Nov 2026 08:00:00 GMT');
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Sat, 21 Nov 2026 08:00:30 GMT', 30_000],
    ['Sat, 21 Nov 2026 07:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('%p is %p ms', (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });
});
