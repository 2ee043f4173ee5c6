import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Authorization, type Authorize } from '../../lib/connection/authorization.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { recordedStream } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

function authorization(state: 'opening' | 'open' = 'opening') {
  const connection = recordedStream(openRegistry(), streamSettings({}));
  const revoke = jest.spyOn(connection, 'revoke').mockImplementation(() => {});
  const hold = jest.spyOn(connection.opening!, 'hold');
  if (state === 'open') connection.open();
  const all = new Authorization(connection);
  const ask = (authorize: Authorize, rooms = ['a']) => {
    const told: string[] = [];
    const forget = all.ask(
      authorize,
      rooms,
      () => told.push('granted'),
      () => told.push('refused'),
    );
    return { told, forget };
  };
  const awaited = () => Promise.all(hold.mock.calls.flat());
  return { all, revoke, hold, ask, awaited };
}

describe('what a connection may read', () => {
  it('is asked again in the context of the first time, such as the request of an app’s store', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { all, ask } = authorization();
    store.run('of this request', () => ask(() => seen.push(store.getStore()) > 0));
    await store.run('of a timer', () => all.askAgain());
    expect(seen).toEqual(['of this request', 'of this request']);
  });

  it('is not asked again for rooms that were left, also while they were being asked about', async () => {
    const { all, ask, awaited } = authorization();
    let answer = (_is: boolean): void => {};
    const authorize = jest.fn(() => new Promise<boolean>((resolve) => (answer = resolve)));
    const { forget } = ask(authorize);
    forget();
    answer(true);
    await awaited();
    await all.askAgain();
    expect(authorize).toHaveBeenCalledTimes(1);
  });

  it('does not end by the `until` of rooms that were left while they were asked about again', async () => {
    const { all, revoke, ask } = authorization();
    let answer = (): void => {};
    const { forget } = ask(
      jest
        .fn<Authorize>()
        .mockReturnValueOnce(true)
        .mockImplementationOnce(async () => {
          await new Promise<void>((resolve) => (answer = resolve));
          return { until: Date.now() + 1_000 };
        }),
    );
    const asked = all.askAgain();
    forget();
    answer();
    expect(await asked).toBe(true);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(revoke).not.toHaveBeenCalled();
  });

  it('is asked again an interval after the first question, whatever is joined later', async () => {
    const { all, ask } = authorization();
    ask(() => true);
    const { askedAt } = all;
    await jest.advanceTimersByTimeAsync(50);
    ask(() => true, ['b']);
    expect(all.askedAt).toBe(askedAt);
    await all.askAgain();
    expect(all.askedAt).toBe(askedAt + 50);
  });

  it('holds a stream back until all is answered', async () => {
    const { hold, ask, awaited } = authorization();
    ask(() => true);
    expect(hold).not.toHaveBeenCalled();
    const { told } = ask(async () => false);
    await awaited();
    expect(told).toEqual(['refused']);
  });

  it('ends by the earliest `until`, at most a tenth of the time early', async () => {
    const { revoke, ask } = authorization();
    ask(() => ({ until: Date.now() + 1_000 }));
    ask(() => ({ until: new Date(Date.now() + 9_000) }), ['b']);
    await jest.advanceTimersByTimeAsync(899);
    expect(revoke).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(101);
    expect(revoke).toHaveBeenCalledTimes(1);
  });

  it('ends at a time of its own, so that those which began together do not end together', async () => {
    const all = Array.from({ length: 100 }, () => authorization());
    const ended = () => all.filter(({ revoke }) => revoke.mock.calls.length > 0).length;
    for (const { ask } of all) ask(() => ({ until: Date.now() + 1_000 }));
    const counts: number[] = [];
    for (let n = 0; n < 4; n++) {
      await jest.advanceTimersByTimeAsync(n === 0 ? 925 : 25);
      counts.push(ended());
    }
    expect(counts).toEqual([...new Set(counts)].filter((count) => count > 0));
    expect(counts.at(-1)).toBe(100);
  });

  it('has no timers left when its connection has ended', () => {
    const { all, ask } = authorization();
    ask(() => ({ until: Date.now() + 1_000 }));
    all.end();
    expect(jest.getTimerCount()).toBe(0);
  });
});
