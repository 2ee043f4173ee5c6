import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { SseConnection } from 'nestjs-eventstream';
import { Facts, revokeBy } from '../../lib/inspector/facts.js';
import { fakeConnection } from '../../lib/testing/fake-connection.js';

const connection = (data: object): SseConnection => ({ data }) as SseConnection;

afterEach(() => {
  jest.restoreAllMocks();
});

describe('whom a connection belongs to', () => {
  it('is by default the user alone: data may hold secrets', () => {
    const facts = new Facts();
    expect(facts.of(connection({ user: 'ann', userId: 7, token: 'secret' }))).toEqual({
      user: 'ann',
      userId: 7,
    });
    expect(facts.of(connection({ user: { password: 'secret' } }))).toEqual({});
    expect(facts.of(connection({}))).toEqual({});
  });

  it('is the user of its identity, if its data has none that can be shown', () => {
    const facts = new Facts();
    const one = (data: object) => {
      const ann = fakeConnection({ identity: { user: 'ann' } });
      Object.assign(ann.data, data);
      return facts.of(ann);
    };
    expect(one({})).toEqual({ user: 'ann' });
    expect(one({ user: { password: 'secret' }, userId: 7 })).toEqual({ user: 'ann', userId: 7 });
    expect(one({ user: 'Ann A.' })).toEqual({ user: 'Ann A.' });
    expect(facts.of(fakeConnection({ identity: { client: 'tab' } }))).toEqual({});
  });

  it('is what the app says, or nothing', () => {
    const facts = new Facts(({ data }) => ({ tenant: Number(data['tenant']), none: undefined }));
    expect(facts.of(connection({ tenant: 3 }))).toEqual({ tenant: 3 });
    expect(new Facts(false).of(connection({ user: 'ann' }))).toEqual({});
  });

  it('is bounded', () => {
    const many = Object.fromEntries(
      Array.from({ length: 20 }, (_none, n) => [`${n} ${'x'.repeat(90)}`, 'y'.repeat(300)]),
    );
    const found = Object.entries(new Facts(() => many).of(connection({})));
    expect(found).toHaveLength(10);
    for (const [name, value] of found) {
      expect(name).toHaveLength(40);
      expect(value).toHaveLength(100);
    }
  });

  it('is nobody where the app’s function fails, which is logged', () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const facts = new Facts(() => {
      throw new Error('no such property');
    });
    expect([facts.of(connection({})), facts.of(connection({}))]).toEqual([{}, {}]);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledWith(
      'The option `facts` of the inspector has failed: no such property',
    );
  });
});

describe('a connection can be revoked', () => {
  it.each([
    ['by its user', { user: 'ann' }, { user: 'ann' }, 'user'],
    ['by a number', { id: 7 }, { id: 7 }, 'id'],
    ['by the first fact that its data has', { name: 'Ann', user: 7 }, { user: 7 }, 'user'],
    ['by no boolean, which many have', { admin: true }, { admin: true }, null],
    ['by nothing that its data has otherwise', { user: '7' }, { user: 7 }, null],
    ['by nothing that is cut', { user: `${'x'.repeat(99)}…` }, { user: 'x'.repeat(200) }, null],
    ['by nothing that all objects have', { constructor: 'x' }, {}, null],
  ])('%s', (_how, facts, data, expected) => {
    expect(revokeBy(facts as never, connection(data))).toBe(expected);
  });
});
