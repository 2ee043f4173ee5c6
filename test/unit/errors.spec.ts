import { describe, expect, it } from '@jest/globals';
import { messageOf } from '../../lib/client/client-error.js';
import {
  describe as describeThrown,
  preview,
  SseClosedError,
  SseError,
  SseInvalidFieldError,
  SseLimitError,
  SseNotStreamableError,
  SseOptionsError,
  SseSerializeError,
} from '../../lib/ground/errors.js';

describe('an error', () => {
  const cause = new Error('cycle');

  // feature: 71
  it.each<[string, SseError, object, string]>([
    [
      'a wrong field',
      new SseInvalidFieldError('id', 'a\nb', 'must be one line'),
      { code: 'SSE_INVALID_FIELD', field: 'id', value: 'a\nb' },
      'id: must be one line (got "a\\nb")',
    ],
    [
      'data of a type without a text form',
      new SseSerializeError('tick', 'cycle', { cause }),
      { code: 'SSE_SERIALIZE', type: 'tick', cause },
      'data of "tick": cycle; send plain JSON values, or set `serialize`',
    ],
    [
      'data without a text form',
      new SseSerializeError(undefined, 'cycle'),
      { code: 'SSE_SERIALIZE', type: undefined },
      'data: cycle; send plain JSON values, or set `serialize`',
    ],
    [
      'a closed hub',
      new SseClosedError('the hub'),
      { code: 'SSE_CLOSED' },
      'the hub is closed; stop using it',
    ],
    [
      'an event that is too large',
      new SseLimitError('maxEventBytes', 100, 'send a URL'),
      { code: 'SSE_LIMIT', limit: 'maxEventBytes', max: 100 },
      'limits.maxEventBytes is 100: send a URL',
    ],
    [
      'a handler without a stream',
      new SseNotStreamableError('return an Observable'),
      { code: 'SSE_NOT_STREAMABLE' },
      'return an Observable',
    ],
    [
      'a wrong option',
      new SseOptionsError('keepAlive.intervalMs', 'a positive integer', -1),
      {
        code: 'SSE_OPTIONS',
        path: 'keepAlive.intervalMs',
        expected: 'a positive integer',
        value: -1,
      },
      'keepAlive.intervalMs: expected a positive integer, got -1',
    ],
  ])('has a code, facts and a remedy: %s', (_title, error, facts, message) => {
    expect(error).toBeInstanceOf(SseError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('SseError');
    expect(error).toMatchObject(facts);
    expect(error.message).toBe(message);
  });
});

const revoked = Proxy.revocable({}, {});
revoked.revoke();

/** What can be thrown, and what is thrown at whoever looks at it. */
const trap = (): never => {
  throw new Error('a trap');
};
const itself: { errors: unknown[] } = { errors: [] };
itself.errors.push(itself);
const HOSTILE: [string, unknown][] = [
  ['a message that throws', Object.defineProperty({}, 'message', { get: trap })],
  [
    'an error whose message throws',
    Object.defineProperty(new Error('x'), 'message', { get: trap }),
  ],
  ['an error whose cause throws', Object.defineProperty(new Error('x'), 'cause', { get: trap })],
  ['a code that throws', Object.defineProperty({}, 'code', { get: trap })],
  ['a proxy that throws', new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap })],
  ['a revoked proxy', revoked.proxy],
  ['nothing with a prototype', Object.create(null)],
  ['errors that hold themselves', itself],
  ['a message that is a symbol', { message: Symbol('m'), code: Symbol('c') }],
  ['a class name that throws', { constructor: { name: { toString: trap } } }],
  ['a text form that throws', { toString: trap, [Symbol.toPrimitive]: trap }],
  ['a symbol', Symbol('s')],
  ['nothing', undefined],
];

describe('what was thrown', () => {
  it.each(HOSTILE)('is one short line whatever it is: %s', (_what, thrown) => {
    for (const text of [preview(thrown), describeThrown(thrown), messageOf(thrown)]) {
      expect(text).toMatch(/^.{1,110}$/);
    }
  });

  it.each([
    [new Error('a\n b'), 'a b'],
    [new AggregateError([new Error('first'), new Error('second')]), 'first'],
    [{ message: '', code: 'ECONNREFUSED' }, 'ECONNREFUSED'],
    ['a text', '"a text"'],
  ])('%p is told as %s', (thrown, text) => {
    expect(describeThrown(thrown)).toBe(text);
  });

  it('is told with its remedy, which is at the end', () => {
    const remedy =
      'must not contain a lone surrogate; encode it, for example with JSON.stringify()';
    const error = new SseInvalidFieldError('room', 'x'.repeat(500), remedy);
    expect(describeThrown(error)).toBe(error.message);
  });
});

describe('the preview of a value', () => {
  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [-1, '-1'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    ['a\nb', '"a\\nb"'],
    [10n, '10n'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [[1], 'an array'],
    [[], 'an empty array'],
    [{ a: 1, b: 2 }, 'an object with a, b'],
    [{}, 'an object with no keys'],
    [Object.create(null), 'an object'],
  ])('of %p is %s', (value, text) => {
    expect(preview(value)).toBe(text);
  });

  it('names the class of an object and never shows what is in it', () => {
    class Account {
      secret = 'hunter2';
    }
    expect(preview(new Account())).toMatch(/\bAccount$/);
  });

  it.each([
    ['a revoked proxy', revoked.proxy, 'a value that cannot be shown'],
    [
      'many keys',
      Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`key ${n}`, n])),
      undefined,
    ],
    ['a key with a line break', { 'a\nb': 1 }, 'an object with a b'],
    ['a large BigInt', 10n ** 500n, undefined],
  ])('of %s is one short line', (_title, value, text) => {
    const shown = preview(value);
    expect(shown).toMatch(/^.{1,110}$/);
    expect(shown).toBe(text ?? shown);
  });

  it('of the errors of others is cut in a message, and of this library never', () => {
    const [own, remedy] = [`it failed (${'x'.repeat(400)})`, 'try again'];
    const error = new SseError('SSE_LOG_UNAVAILABLE', `${own}; ${remedy}`);
    expect(describeThrown(error)).toBe(`${own}; ${remedy}`);
    expect(describeThrown(new AggregateError([error]))).toBe(`${own}; ${remedy}`);
    expect(describeThrown(new Error(own))).toContain('characters');
  });

  it('of a long text is cut and tells its length', () => {
    const text = preview('x'.repeat(1000));
    expect(text.length).toBeLessThan(120);
    expect(text).toContain('characters');
  });
});
