import { describe, expect, it } from '@jest/globals';
import { SseOptionsError } from '../../lib/ground/errors.js';
import * as rules from '../../lib/options/rules.js';

const MAX_DELAY_MS = 2 ** 31 - 1;

describe.each<[string, rules.Rule, unknown[], unknown[]]>([
  [
    'a positive integer',
    rules.positiveInteger,
    [1, 3_000_000_000],
    [0, -1, 1.5, Number.NaN, Infinity, '1', null, true, 2 ** 53],
  ],
  ['a positive integer', rules.durationMs, [1, MAX_DELAY_MS], [0, -1, 0.5, '1']],
  ['at most 2147483647 (24 days)', rules.durationMs, [1], [MAX_DELAY_MS + 1]],
  [
    'an integer of at least 0',
    rules.durationMsOrZero,
    [0, MAX_DELAY_MS],
    [-1, 0.5, MAX_DELAY_MS + 1],
  ],
  [
    'an integer of at least 0, or { minMs, maxMs } with minMs <= maxMs',
    rules.durationMsOrRange,
    [0, 3000, { minMs: 0, maxMs: 0 }, { minMs: 1, maxMs: 2 }],
    [
      -1,
      '1',
      null,
      {},
      { minMs: 1 },
      { maxMs: 1 },
      { minMs: 2, maxMs: 1 },
      { minMs: -1, maxMs: 1 },
    ],
  ],
  ['a function', rules.aFunction, [() => 1, Date], [null, {}, 'f', true]],
  ['an array', rules.aList, [[], ['x']], [null, 0, 'true', {}]],
  ['a non-empty string', rules.aText, ['x', ' '], ['', null, 1, {}]],
  ["'end' or 'close'", rules.oneOf('end', 'close'), ['end', 'close'], ['End', '', null, 1]],
])('the rule for %s', (expected, rule, good, bad) => {
  it.each([...good, undefined])('passes %p', (value) => {
    expect(() => rule('a.b', value)).not.toThrow();
  });

  it.each(bad)('refuses %p with the path, the expectation and the value', (value) => {
    expect(() => rule('a.b', value)).toThrow(
      expect.objectContaining({ code: 'SSE_OPTIONS', path: 'a.b', expected, value }),
    );
  });
});

describe('required()', () => {
  it('refuses undefined, and otherwise what its rule refuses', () => {
    const rule = rules.required(rules.aText);
    expect(() => rule('name', undefined)).toThrow(SseOptionsError);
    expect(() => rule('name', '')).toThrow(SseOptionsError);
    expect(() => rule('name', 'x')).not.toThrow();
  });
});

describe('orFalse()', () => {
  it('passes false, and otherwise what its rule passes', () => {
    const rule = rules.orFalse(rules.positiveInteger);
    for (const value of [false, 1, undefined]) expect(() => rule('n', value)).not.toThrow();
    for (const value of [0, true, null]) expect(() => rule('n', value)).toThrow(SseOptionsError);
  });
});

describe('object()', () => {
  const rule = rules.object({
    one: rules.positiveInteger,
    two: rules.object({ on: rules.aFunction }),
  });

  it.each([undefined, {}, { one: 1 }, { one: undefined }, { two: { on: Date } }])(
    'passes %j',
    (value) => {
      expect(() => rule('', value)).not.toThrow();
    },
  );

  it.each<[unknown, string, string]>([
    [null, 'top', 'top: expected an object, got null'],
    [7, 'top', 'top: expected an object, got 7'],
    [[], 'top', 'top: expected an object, got an empty array'],
    [null, '', 'options: expected an object, got null'],
    [{ one: 0 }, '', 'one: expected a positive integer, got 0'],
    [{ one: 0 }, 'top', 'top.one: expected a positive integer, got 0'],
    [{ two: { on: 1 } }, 'top', 'top.two.on: expected a function, got 1'],
    [{ on: 1 }, 'top', 'top.on: no such option; did you mean one?'],
    [{ two: { onn: true } }, '', 'two.onn: no such option; did you mean on?'],
    [{ toString: 1 }, '', 'toString: no such option; expected one of one, two'],
  ])('refuses %j at "%s": %s', (value, path, message) => {
    expect(() => rule(path, value)).toThrow(SseOptionsError);
    expect(() => rule(path, value)).toThrow(message);
  });
});

describe('recordOf()', () => {
  const rule = rules.recordOf(rules.aText);

  it('passes any keys whose values pass', () => {
    for (const value of [undefined, {}, { a: 'b', 'X-C': 'd' }]) {
      expect(() => rule('headers', value)).not.toThrow();
    }
  });

  it('refuses one value with its key in the path', () => {
    expect(() => rule('headers', { a: 'b', c: 1 })).toThrow(
      'headers.c: expected a non-empty string, got 1',
    );
  });

  it.each([null, 'x', 7])('refuses %p', (value) => {
    expect(() => rule('headers', value)).toThrow('headers: expected an object');
  });
});
