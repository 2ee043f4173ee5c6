import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ForbiddenException, Logger } from '@nestjs/common';
import type { Authorized } from '../../lib/connection/authorization.js';
import { authorizeBy, type AuthorizeRooms } from '../../lib/connection/room-rules.js';
import { fakeConnection } from '../../lib/testing/fake-connection.js';

afterEach(() => void jest.restoreAllMocks());

const connection = fakeConnection();
const ask = (rules: AuthorizeRooms, ...rooms: string[]) => authorizeBy(rules)!(connection, rooms);
const never = (): boolean => {
  throw new Error('asked for another room');
};

describe('rules by patterns of rooms', () => {
  it('are asked with the connection, the parameters and the room', () => {
    const rule = jest.fn(() => true);
    expect(ask({ 'project.:id': rule }, 'project.7')).toBe(true);
    expect(rule.mock.calls).toEqual([[connection, { id: '7' }, 'project.7']]);
  });

  it('are asked for each room, all of which must be allowed', () => {
    const rules = {
      news: true,
      'project.:id': (_one: unknown, { id }: { id?: string }) => id === '7',
    } as const;
    expect(ask(rules, 'news', 'project.7')).toBe(true);
    expect(ask(rules, 'news', 'project.8')).toBe(false);
    expect(ask(rules, 'project.8', 'news')).toBe(false);
  });

  it('are the first that match, and a name precedes the others', () => {
    expect(ask({ ':any': never, news: true }, 'news')).toBe(true);
    expect(ask({ 'a.:x': true, ':y.b': never }, 'a.b')).toBe(true);
    expect(ask({ 'a.:x': () => false, ':y.b': true }, 'a.b')).toBe(false);
  });

  it('answer with the earliest `until`', async () => {
    const at = (until: Date | number) => () => ({ until });
    const rules = { a: at(3_000), b: at(new Date(2_000)), c: () => ({}), d: true } as const;
    expect(ask(rules, 'a', 'b', 'c', 'd')).toEqual({ until: 2_000 });
    expect(ask(rules, 'c', 'd')).toBe(true);
    const later = { ...rules, e: async () => ({ until: 1_000 }) };
    expect(await ask(later, 'a', 'e', 'b')).toEqual({ until: 1_000 });
    expect(ask({ a: () => ({ until: NaN }), b: at(2_000) }, 'a', 'b')).toEqual({ until: NaN });
  });

  it('answer synchronously if all of them do, else with a promise', async () => {
    const rules = { a: true, b: async () => true, c: async () => false } as const;
    expect(ask(rules, 'a')).toBe(true);
    expect(await ask(rules, 'a', 'b')).toBe(true);
    expect(await ask(rules, 'b', 'c')).toBe(false);
  });

  it('pass on what one of them throws, and leave no rejection behind', async () => {
    const refuse = () => Promise.reject(new ForbiddenException('late'));
    const fail = (): boolean => {
      throw new ForbiddenException('at once');
    };
    const rules = { a: refuse, b: refuse, c: fail };
    await expect(ask(rules, 'a', 'b', 'c')).rejects.toThrow(/late|at once/);
    expect(() => ask(rules, 'c', 'a')).toThrow('at once');
  });

  it.each([undefined, null, 'yes', 1])('mean no by the answer %j of untyped code', (answer) => {
    expect(ask({ a: () => answer as never as Authorized }, 'a')).toBe(false);
  });

  it('refuse a room that none of them matches, and say so once', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const rules = { 'only-here': true } as const;
    for (const room of ['other', 'another']) expect(ask(rules, room)).toBe(false);
    expect(warn.mock.calls).toEqual([
      [
        'A stream of the room "other" was refused, because no pattern of `authorize` matches it. Add a pattern for such rooms, or correct the name.',
      ],
    ]);
  });

  it.each([
    [{}, /^authorize: expected a function, or an object with a rule for each pattern/],
    [[], /^authorize: expected a function, or an object/],
    [{ a: false }, 'authorize["a"]: expected true or a function, got false'],
    [{ 'a.*': true }, /^authorize\["a\.\*"\]: the pattern "a\.\*" has a "\*"/],
  ])('are refused if they are %j', (rules, message) => {
    expect(() => authorizeBy(rules as never)).toThrow(message);
  });

  it('are not needed: a function stays as it is', () => {
    expect(authorizeBy(never)).toBe(never);
    expect(authorizeBy(undefined)).toBeUndefined();
  });
});
