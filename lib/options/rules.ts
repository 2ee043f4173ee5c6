import { SseOptionsError } from '../ground/errors.js';
import { MAX_TIMER_MS } from '../ground/timers.js';

/** Checks one option; throws `SSE_OPTIONS` with its path. */
export type Rule = (path: string, value: unknown) => void;

/**
 * Makes a rule from a test and a phrase for what is expected. `undefined` selects the default, so
 * it always passes.
 */
export function rule(expected: string, passes: (value: unknown) => boolean): Rule {
  return (path, value) => {
    if (value !== undefined && !passes(value)) throw new SseOptionsError(path, expected, value);
  };
}

const isWhole = (value: unknown, from: number, to: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;

export const positiveInteger = rule('a positive integer', (value) =>
  isWhole(value, 1, Number.MAX_SAFE_INTEGER),
);
export const integerFrom = (from: number, to: number): Rule =>
  rule(`an integer from ${from} to ${to}`, (value) => isWhole(value, from, to));
export const positiveNumber = rule(
  'a positive number',
  (value) => typeof value === 'number' && value > 0 && Number.isFinite(value),
);
const inTimerRange = rule(`at most ${MAX_TIMER_MS} (24 days)`, (value) =>
  isWhole(value, 0, MAX_TIMER_MS),
);
export const durationMs: Rule = (path, value) => {
  positiveInteger(path, value);
  inTimerRange(path, value);
};
export const durationMsOrZero = rule('an integer of at least 0', (value) =>
  isWhole(value, 0, MAX_TIMER_MS),
);
export const durationMsOrRange = rule(
  'an integer of at least 0, or { minMs, maxMs } with minMs <= maxMs',
  (value) => {
    if (typeof value !== 'object' || value === null) return isWhole(value, 0, MAX_TIMER_MS);
    const { minMs, maxMs } = value as { minMs?: unknown; maxMs?: unknown };
    return isWhole(minMs, 0, MAX_TIMER_MS) && isWhole(maxMs, minMs as number, MAX_TIMER_MS);
  },
);
export const aFunction = rule('a function', (value) => typeof value === 'function');
export const trueOrFalse = rule('true or false', (value) => typeof value === 'boolean');
export const aList = rule('an array', Array.isArray);
export const anyText = rule('a string', (value) => typeof value === 'string');
export const aText = rule(
  'a non-empty string',
  (value) => typeof value === 'string' && value !== '',
);
export const positiveIntegerOrMs = rule(
  'a positive integer, or { ms } with a positive integer',
  (value) =>
    typeof value === 'object' && value !== null && 'ms' in value
      ? isWhole(value.ms, 1, MAX_TIMER_MS)
      : isWhole(value, 1, Number.MAX_SAFE_INTEGER),
);
export const anyValue: Rule = () => {};

export const oneOf = (...values: readonly string[]): Rule =>
  rule(values.map((value) => `'${value}'`).join(' or '), (value) =>
    values.includes(value as string),
  );

/** A value that passes each of these. */
export const each =
  (...all: readonly Rule[]): Rule =>
  (path, value) => {
    for (const check of all) check(path, value);
  };

/** Refuses `undefined` too. */
export const required =
  (inner: Rule): Rule =>
  (path, value) => {
    if (value !== undefined) return inner(path, value);
    try {
      inner(path, null);
    } catch (error) {
      const { expected } = error as SseOptionsError;
      throw new SseOptionsError(path || 'options', expected, undefined);
    }
  };

/** `false` switches the option off. */
export const orFalse =
  (inner: Rule): Rule =>
  (path, value) => {
    if (value !== false) inner(path, value);
  };

/** An object with no other options than these, so that a misspelled one is refused. */
export const object =
  (rules: Readonly<Record<string, Rule>>): Rule =>
  (path, value) => {
    if (value === undefined) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SseOptionsError(path || 'options', 'an object', value);
    }
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(rules, key)) {
        throw noSuchOption(at(key), key, Object.keys(rules));
      }
    }
    for (const [key, check] of Object.entries(rules)) {
      check(at(key), (value as Record<string, unknown>)[key]);
    }
  };

function noSuchOption(path: string, name: string, known: readonly string[]): SseOptionsError {
  const expected = `one of ${known.join(', ')}`;
  const [meant] = known
    .filter((option) => isAlike(name.toLowerCase(), option.toLowerCase()))
    .sort((one, other) => distance(name, one) - distance(name, other));
  const hint = meant === undefined ? `expected ${expected}` : `did you mean ${meant}?`;
  return new SseOptionsError(path, expected, name, `no such option; ${hint}`);
}

/** One contains the other, as `interval` and `intervalMs`, or a few letters differ. */
function isAlike(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  if (short.length > 2 && long.includes(short)) return true;
  return distance(one, other) <= Math.max(1, Math.floor(short.length / 3));
}

/** The Levenshtein distance: https://en.wikipedia.org/wiki/Levenshtein_distance */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 0; row < one.length; row++) {
    const line = [row + 1];
    for (let column = 0; column < other.length; column++) {
      const changed = above[column]! + (one[row] === other[column] ? 0 : 1);
      line.push(Math.min(changed, above[column + 1]! + 1, line[column]! + 1));
    }
    above = line;
  }
  return above[other.length]!;
}

/** An object with any keys whose values all pass. */
export const recordOf =
  (inner: Rule): Rule =>
  (path, value) => {
    if (value === undefined) return;
    anObject(path, value);
    for (const [key, entry] of Object.entries(value as object)) inner(`${path}.${key}`, entry);
  };

const anObject = rule(
  'an object',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);
