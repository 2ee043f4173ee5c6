import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SSE_DEFAULTS } from 'nestjs-eventstream';
import { Hub } from '../../lib/hub/hub.js';
import type { RoomHook } from '../../lib/hub/room-hooks.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function openHub() {
  const hub = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
  await hub.start();
  const done: string[] = [];
  /** Notes the start and the end of each room. */
  const note: RoomHook = (room) => {
    done.push(`+${room}`);
    return () => void done.push(`-${room}`);
  };
  const read = (...rooms: string[]) => hub.stream(rooms, { connection: false }).subscribe();
  return { hub, done, note, read };
}

describe('a hook of a room', () => {
  it('is called for the first reader of each room, and its teardown after the last', async () => {
    const { hub, done, note, read } = await openHub();
    hub.onRoom(':name', note, { lingerMs: 0 });
    const [one, two] = [read('a', 'b'), read('a')];
    expect(done).toEqual([]);
    await turn();
    expect(done.splice(0)).toEqual(['+a', '+b']);
    one.unsubscribe();
    await turn();
    expect(done.splice(0)).toEqual(['-b']);
    read('c');
    two.unsubscribe();
    await turn();
    expect(done.splice(0).sort()).toEqual(['+c', '-a']);
    read('a');
    await turn();
    expect(done).toEqual(['+a']);
  });

  it('gets the parts of the name, and only rooms of its pattern', async () => {
    const { hub, read } = await openHub();
    const start = jest.fn();
    hub.onRoom('prices.:symbol', start as () => void);
    read('prices.ACME', 'prices', 'prices.a.b');
    await turn();
    expect(start.mock.calls).toEqual([['prices.ACME', { symbol: 'ACME' }]]);
  });

  it('is called for rooms that are read already', async () => {
    const { hub, done, note, read } = await openHub();
    read('a');
    read('a');
    hub.onRoom('a', note);
    await turn();
    expect(done).toEqual(['+a']);
  });

  it('is not called where the reader has left at once', async () => {
    const { hub, done, note, read } = await openHub();
    hub.onRoom('a', note, { lingerMs: 0 });
    read('a').unsubscribe();
    await turn();
    expect(done).toEqual([]);
  });

  it('may publish to the room, whose reader gets it', async () => {
    const { hub } = await openHub();
    hub.onRoom('a', (room) => void hub.to(room).emit('x', 1));
    const seen: unknown[] = [];
    hub.stream('a', { connection: false }).subscribe(({ type }) => seen.push(type));
    await turn();
    expect(seen).toEqual(['x']);
  });

  it('stays for 10 s, so that a client that reconnects does not start it again', async () => {
    const { hub, done, note, read } = await openHub();
    hub.onRoom('a', note);
    read('a').unsubscribe();
    const first = read('a');
    await turn();
    first.unsubscribe();
    await turn();
    jest.advanceTimersByTime(9_999);
    const second = read('a');
    await turn();
    jest.advanceTimersByTime(60_000);
    second.unsubscribe();
    await turn();
    jest.advanceTimersByTime(9_999);
    expect(done).toEqual(['+a']);
    jest.advanceTimersByTime(1);
    expect(done).toEqual(['+a', '-a']);
  });

  it('stops all rooms when it is removed, and is called for no other', async () => {
    const { hub, done, note, read } = await openHub();
    const remove = hub.onRoom(':name', note);
    read('a');
    const left = read('b');
    await turn();
    left.unsubscribe();
    await turn();
    remove();
    expect(done.splice(0)).toEqual(['+a', '+b', '-a', '-b']);
    read('c');
    await turn();
    jest.advanceTimersByTime(60_000);
    expect(done).toEqual([]);
  });

  it('stops when the hub closes, which waits for it', async () => {
    const { hub, done, read } = await openHub();
    let stop = (): void => {};
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    hub.onRoom('a', (room) => async () => {
      await stopped;
      done.push(`-${room}`);
    });
    read('a');
    await turn();
    const closed = hub.close().then(() => done.push('closed'));
    await turn();
    expect(done).toEqual([]);
    stop();
    await closed;
    expect(done).toEqual(['-a', 'closed']);
    expect(() => hub.onRoom('a', () => {})).toThrow('the hub is closed');
  });

  it('may start slowly: a teardown that comes after the last reader has left is called at once', async () => {
    const { hub, done, note, read } = await openHub();
    let go = (): void => {};
    hub.onRoom(
      'a',
      async (room, params) => {
        await new Promise<void>((resolve) => (go = resolve));
        return note(room, params);
      },
      { lingerMs: 0 },
    );
    const reader = read('a');
    await turn();
    reader.unsubscribe();
    await turn();
    expect(done).toEqual([]);
    go();
    await turn();
    expect(done).toEqual(['+a', '-a']);
  });

  it('that fails is logged, and neither streams nor other hooks notice', async () => {
    const errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {
      throw new Error('the logger fails as well');
    });
    const { hub, done, note, read } = await openHub();
    const failing = (text: string) => () => {
      throw new Error(text);
    };
    hub.onRoom('a', failing('start'));
    hub.onRoom('a', () => Promise.reject(new Error('late start')));
    hub.onRoom('a', () => failing('stop'), { lingerMs: 0 });
    hub.onRoom('a', note, { lingerMs: 0 });
    const reader = read('a');
    await turn();
    reader.unsubscribe();
    await turn();
    expect(done).toEqual(['+a', '-a']);
    expect(errors.mock.calls.map(([error]) => (error as Error).message)).toEqual([
      'start',
      'late start',
      'stop',
    ]);
    expect(errors.mock.calls[0]?.[1]).toEqual({ event: 'error', onRoom: 'a', room: 'a' });
  });

  it('runs in the async context in which it was added, not in that of a request', async () => {
    const { hub, read } = await openHub();
    const store = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    store.run('of the app', () =>
      hub.onRoom('a', () => {
        seen.push(store.getStore());
        return () => void seen.push(store.getStore());
      }),
    );
    const reader = store.run('of a request', () => read('a'));
    await turn();
    store.run('of a request', () => reader.unsubscribe());
    await turn();
    store.run('of a request', () => jest.advanceTimersByTime(10_000));
    expect(seen).toEqual(['of the app', 'of the app']);
  });

  it.each([
    [['a.*', () => {}], /^onRoom\(\): the pattern "a\.\*" has a "\*"/],
    [['a', 7], 'onRoom(): expected a function, got 7'],
    [['a', undefined], 'onRoom(): expected a function, got undefined'],
    [
      ['a', () => {}, { lingerMs: -1 }],
      'onRoom().lingerMs: expected an integer of at least 0, got -1',
    ],
    [['a', () => {}, { linger: 1 }], 'onRoom().linger: no such option; did you mean lingerMs?'],
  ])('is refused for %j', async (args, message) => {
    const { hub } = await openHub();
    expect(() => hub.onRoom(...(args as [string, RoomHook]))).toThrow(message);
  });
});
