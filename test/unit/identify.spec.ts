import { describe, expect, it, jest } from '@jest/globals';
import { hasFact, type Identify } from '../../lib/connection/identify.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { checkModuleOptions } from '../../lib/nest/module.options.js';
import { recordedStream } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

const streamOf = (identify?: Identify) =>
  recordedStream(openRegistry({ identify }), streamSettings({}));
const answering = (answer: unknown) => streamOf(() => answer as never);

describe('the identity of a connection', () => {
  it('is asked for once, when it is needed', () => {
    const identify = jest.fn(() => ({ user: 'ann', client: 'tab 1' }));
    const stream = streamOf(identify);
    expect(identify).not.toHaveBeenCalled();
    expect([stream.identity, stream.identity]).toEqual([
      { user: 'ann', client: 'tab 1' },
      { user: 'ann', client: 'tab 1' },
    ]);
    expect(identify.mock.calls).toEqual([[stream]]);
  });

  it('is not what the app makes of its answer later', () => {
    const answer = { user: 'ann' };
    const stream = answering(answer);
    expect(stream.identity).toEqual({ user: 'ann' });
    answer.user = 'ben';
    expect(stream.identity?.user).toBe('ann');
    expect(Object.isFrozen(stream.identity)).toBe(true);
  });

  it('may be that of nobody, which is not asked again', () => {
    const identify = jest.fn(() => undefined);
    const stream = streamOf(identify);
    expect([stream.identity, stream.identity]).toEqual([undefined, undefined]);
    expect(identify).toHaveBeenCalledTimes(1);
    expect(streamOf().identity).toBeUndefined();
  });

  it.each([
    [null, 'identify(): expected an object, got null'],
    ['ann', 'identify(): expected an object, got "ann"'],
    [{ user: 7 }, 'identify().user: expected a text of 1 to 200 characters, got 7'],
    [{ user: '' }, 'identify().user: expected a text of 1 to 200 characters, got ""'],
    [{ user: 'x'.repeat(201) }, /identify\(\)\.user: expected a text of 1 to 200 characters/],
    [{ client: '\ud800' }, /identify\(\)\.client: expected a text of 1 to 200 characters/],
    [{ userId: 'ann' }, 'identify().userId: no such option; did you mean user?'],
    [
      Promise.reject(new Error('late')),
      'identify(): expected an object or undefined, not a promise, got an Promise',
    ],
  ])('is not %j', (answer, message) => {
    const stream = answering(answer);
    expect(() => stream.identity).toThrow(message);
    expect(hasFact(stream, 'user', 'ann')).toBe(false);
  });

  it('is checked as an option of the module', () => {
    const wrong = () => checkModuleOptions('', { identify: 'user' });
    expect(wrong).toThrow('identify: expected a function, got "user"');
  });
});

describe('a fact', () => {
  it.each([
    ['user', 'ann', true],
    ['user', 'ben', false],
    ['client', 'tab', true],
    ['tenant', 3, true],
    ['toString', undefined, false],
    ['constructor', 'x', false],
  ])('%s is %j of a connection: %j', (name, fact, expected) => {
    const stream = answering({ user: 'ann', client: 'tab' });
    stream.data['tenant'] = 3;
    expect(hasFact(stream, name, fact)).toBe(expected);
  });

  it('is one of its data or of its identity', () => {
    const stream = answering({ user: 'ann' });
    stream.data['user'] = { name: 'Ann' };
    expect(hasFact(stream, 'user', 'ann')).toBe(true);
    stream.data['user'] = 'ben';
    expect([hasFact(stream, 'user', 'ann'), hasFact(stream, 'user', 'ben')]).toEqual([true, true]);
  });
});
