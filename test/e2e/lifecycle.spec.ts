import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import http from 'node:http';
import net from 'node:net';
import { concat, from, map, merge, NEVER, Observable, of, Subject, throwError, timer } from 'rxjs';
import {
  Broadcaster,
  Connection,
  poll,
  SseConnections,
  SseStream,
  type CloseReason,
  type SseConnection,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

/** Counts who subscribes and who leaves. */
class Tally {
  subscribed = 0;
  left = 0;
  readonly changed = new Subject<void>();
  track<T>(source: Observable<T>): Observable<T> {
    return new Observable((subscriber) => {
      this.subscribed++;
      this.changed.next();
      const subscription = source.subscribe(subscriber);
      return () => {
        this.left++;
        subscription.unsubscribe();
        this.changed.next();
      };
    });
  }
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (condition()) resolve();
      };
      this.changed.subscribe(look);
      look();
    });
  }
}

/** A gate that the test opens: stands for slow work of the app. */
const gate = () => {
  let open!: () => void;
  let entered!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const waiting = new Promise<void>((resolve) => (entered = resolve));
  return { open, waiting, pass: () => (entered(), opened) };
};

function controller(tally: Tally, guardGate = gate(), handlerGate = gate()) {
  @Injectable()
  class Slow implements CanActivate {
    async canActivate(): Promise<boolean> {
      await guardGate.pass();
      return true;
    }
  }
  @Controller()
  class Streams {
    connection: SseConnection | undefined;
    constructor(readonly broadcaster: Broadcaster) {}
    @SseStream('guarded') @UseGuards(Slow) guarded() {
      return tally.track(NEVER);
    }
    @SseStream('handler') async handler(@Connection() connection: SseConnection) {
      this.connection = connection;
      await handlerGate.pass();
      return tally.track(NEVER);
    }
    @SseStream('quiet') quiet(@Connection() connection: SseConnection) {
      this.connection = connection;
      return tally.track(NEVER);
    }
    @SseStream('ticks') ticks() {
      return tally.track(timer(0, 2));
    }
    @SseStream('closes-itself') closesItself(@Connection() connection: SseConnection) {
      this.connection = connection;
      return tally.track(
        from([1, 2, 3]).pipe(map((n) => (n === 2 ? (connection.close('enough'), n) : n))),
      );
    }
    @SseStream('large') large() {
      // More than the buffers of the network take.
      return tally.track(merge(of({ data: 'x'.repeat(10_000_000) }), NEVER));
    }
    @SseStream('completes') completes() {
      return tally.track(of('x'));
    }
    @SseStream('fails') fails() {
      return tally.track(concat(of('x'), timer(1).pipe(map(() => { throw new Error('boom'); })))); // prettier-ignore
    }
    @SseStream('fails-early') failsEarly() {
      return tally.track(throwError(() => new Error('early')));
    }
    @SseStream('room') room() {
      return tally.track(this.broadcaster.stream('room'));
    }
    @Get('json') json() {
      return { j: 1 };
    }
  }
  return { Streams, guardGate, handlerGate };
}

async function start(adapter: Adapter, sse?: SseModuleOptions) {
  const tally = new Tally();
  const { Streams, ...gates } = controller(tally);
  const app = await serve(Streams, { adapter, sse });
  const connections = app.nest.get(SseConnections);
  const reasons: CloseReason[] = [];
  connections.closed$.subscribe(({ reason }) => reasons.push(reason));
  return { app, tally, connections, reasons, streams: app.nest.get(Streams), ...gates };
}

const firstByte = (app: TestApp, path: string) => {
  const stream = app.open(path);
  return stream.until(({ text }) => text !== '').then(() => stream);
};

describe.each(ADAPTERS)('a client that leaves (%s)', (adapter) => {
  // fault: 9
  it('while a guard decides: the handler is not called', async () => {
    const { app, tally, guardGate, connections } = await start(adapter);
    const stream = app.open('/guarded');
    await guardGate.waiting;
    const socketClosed = nextSocketClose(app);
    stream.close();
    await socketClosed;
    guardGate.open();
    // Another request goes through all of Nest after it.
    await app.open('/json').ended;
    expect([tally.subscribed, connections.count]).toEqual([0, 0]);
    expect(app.logged).toEqual([]);
  });

  // feature: 34
  it('while the handler works: nothing is subscribed, and its signal tells it', async () => {
    const { app, tally, handlerGate, streams, connections } = await start(adapter);
    const stream = app.open('/handler');
    await handlerGate.waiting;
    const { signal, closed } = streams.connection!;
    stream.close();
    expect(await closed).toBe('client');
    expect([signal.aborted, signal.reason]).toEqual([true, 'client']);
    handlerGate.open();
    await app.open('/json').ended;
    expect([tally.subscribed, connections.count]).toEqual([0, 0]);
    expect(app.logged).toEqual([]);
  });

  // feature: 34
  // fault: 9
  it.each(['/quiet', '/ticks', '/large', '/room'])(
    'during %s: its subscription ends',
    async (path) => {
      const { app, tally, connections, reasons } = await start(adapter);
      const stream = await firstByte(app, path);
      expect(connections.count).toBe(1);
      stream.close();
      await tally.until(() => tally.left === 1);
      expect(tally.subscribed).toBe(1);
      expect([connections.count, reasons]).toEqual([0, ['client']]);
    },
  );

  it('whose request waits behind another one on its socket: nothing stays', async () => {
    const { app, tally, reasons } = await start(adapter);
    const socket = net.connect(app.port, '127.0.0.1');
    socket.write('GET /quiet HTTP/1.1\r\nHost: x\r\n\r\nGET /ticks HTTP/1.1\r\nHost: x\r\n\r\n');
    await tally.until(() => tally.subscribed === 2);
    socket.destroy();
    await tally.until(() => tally.left === 2);
    expect(reasons).toEqual(['client', 'client']);
  });

  // feature: 27
  // fault: 9
  it('rejects what is sent to it afterwards, and never reports success', async () => {
    const { app, streams } = await start(adapter);
    const stream = await firstByte(app, '/quiet');
    const connection = streams.connection!;
    await connection.send({ data: 'while open' });
    expect(await stream.next()).toMatchObject({ data: 'while open' });
    stream.close();
    await connection.closed;
    await expect(connection.send({ data: 'x' })).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    await expect(connection.comment('x')).rejects.toMatchObject({ code: 'SSE_CLOSED' });
  });
});

describe.each(ADAPTERS)('the end of a stream (%s)', (adapter) => {
  // feature: 35
  it.each([
    ['complete', '/completes'],
    ['error', '/fails'],
    ['enough', '/closes-itself'],
  ])('has the reason %s, once', async (reason, path) => {
    const { app, tally, reasons, connections } = await start(adapter);
    const stream = app.open(path);
    await stream.ended;
    expect([reasons, tally.subscribed, tally.left, connections.count]).toEqual([[reason], 1, 1, 0]);
  });

  it('comes in the middle of a synchronous source that closes its connection', async () => {
    const { app } = await start(adapter);
    expect(await app.open('/closes-itself').ended).toMatch(/\n\ndata: 1\n\n$/);
  });

  // feature: 35
  it('happens once, however often close() is called', async () => {
    const { app, streams, reasons, connections } = await start(adapter);
    const stream = await firstByte(app, '/quiet');
    const connection = streams.connection!;
    expect([connection.state, connection.openedAt]).toEqual(['open', expect.any(Number)]);
    let aborts = 0;
    connection.signal.addEventListener('abort', () => aborts++);
    connection.close();
    connection.close('second');
    connection.close('third');
    expect(await connection.closed).toBe('server');
    await stream.ended;
    expect([reasons, aborts, connection.state, connections.list()]).toEqual([
      ['server'],
      1,
      'closed',
      [],
    ]);
  });

  it('before the first byte leaves no connection behind', async () => {
    const { app, connections, reasons, tally } = await start(adapter);
    expect((await responded(app.open('/fails-early'))).status).toBe(500);
    expect([connections.count, reasons, tally.left]).toEqual([0, [], 1]);
  });

  it('of all streams comes by closeAll; new ones may follow', async () => {
    const { app, connections, reasons } = await start(adapter);
    const streams = await Promise.all(
      ['/quiet', '/ticks', '/room'].map((path) => firstByte(app, path)),
    );
    expect(connections.list().map(({ state }) => state)).toEqual(['open', 'open', 'open']);
    expect(connections.find((connection) => connection.data['user'] === 'nobody')).toBeUndefined();
    connections.closeAll('update');
    await Promise.all(streams.map((stream) => stream.ended));
    expect(reasons).toEqual(['update', 'update', 'update']);
    await firstByte(app, '/quiet');
    expect(connections.count).toBe(1);
  });
});

describe.each(ADAPTERS)('app.close() (%s)', (adapter) => {
  it('ends open streams in full, with the reason shutdown', async () => {
    const { app, reasons, tally } = await start(adapter);
    const streams = await Promise.all(
      ['/quiet', '/ticks', '/room'].map((path) => firstByte(app, path)),
    );
    const ends = Promise.all(streams.map((stream) => stream.ended));
    await app.nest.close();
    await ends;
    expect([reasons, tally.subscribed, tally.left]).toEqual([
      ['shutdown', 'shutdown', 'shutdown'],
      3,
      3,
    ]);
  });

  // feature: 70
  // fault: 15
  it('destroys the socket of a client that does not take the end in time', async () => {
    const { app, reasons } = await start(adapter, { shutdown: { timeoutMs: 20 } });
    const stalled = app.open('/large');
    await stalled.until(({ text }) => text !== '');
    stalled.pause();
    await app.nest.close();
    stalled.resume();
    await expect(stalled.ended).rejects.toThrow('cut');
    expect(reasons).toEqual(['shutdown']);
  });

  // feature: 70
  it('does not wait longer for a handler that never answers', async () => {
    const { app, handlerGate, connections } = await start(adapter, { shutdown: { timeoutMs: 20 } });
    const opening = app.open('/handler');
    const ends = [responded(opening), opening.ended].map((end) =>
      expect(end).rejects.toThrow('socket hang up'),
    );
    await handlerGate.waiting;
    await app.nest.close();
    await Promise.all(ends);
    expect(connections.count).toBe(0);
  });

  it('waits for a handler that still works, and ends its stream as soon as it begins', async () => {
    const { app, handlerGate, reasons } = await start(adapter);
    const stream = app.open('/handler');
    await handlerGate.waiting;
    const closing = app.nest.close();
    handlerGate.open();
    await closing;
    expect(await stream.ended).toMatch(/^: connected\nretry: \d+\n\n$/);
    expect(reasons).toEqual(['shutdown']);
  });

  // feature: 71
  it('sends newcomers away with a time to come back', async () => {
    const { app, handlerGate } = await start(adapter);
    app.open('/handler').closed.catch(() => {});
    await handlerGate.waiting;
    const closing = app.nest.close();
    const newcomer = app.open('/quiet');
    expect(await responded(newcomer)).toMatchObject({
      status: 200,
      headers: { connection: 'close' },
    });
    expect(await newcomer.ended).toMatch(/^retry: \d{4}\n\n$/);
    handlerGate.open();
    await closing;
  });
});

describe.each(ADAPTERS)(
  'a client that comes back on the socket of its last stream (%s)',
  (adapter) => {
    it('does not keep app.close() from its end', async () => {
      const { app, handlerGate } = await start(adapter);
      const stream = app.open('/handler');
      await handlerGate.waiting;
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const ask = () =>
        new Promise<string | undefined>((resolve) => {
          const request = http.get(`${app.url}/completes`, { agent }, (response) => {
            response.resume().on('end', () => resolve(response.headers.connection));
          });
          request.on('error', () => resolve(undefined));
        });
      expect(await ask()).toBe('keep-alive');
      const closing = app.nest.close();
      expect([await ask(), await ask(), await ask()]).toEqual(['close', 'close', 'close']);
      const asking = (async () => {
        while ((await ask()) !== undefined);
      })();
      handlerGate.open();
      await Promise.all([closing, asking, stream.ended]);
      agent.destroy();
    });
  },
);

describe.each(ADAPTERS)('a thousand clients that come and go (%s)', (adapter) => {
  // feature: 37, 63
  it('leave no subscribers, timers, listeners or sockets', async () => {
    const timers = watchTimers();
    const { app, tally, connections, streams } = await start(adapter);
    const paths = ['/quiet', '/ticks', '/room'];
    let cycles = 0;
    const visitor = async (): Promise<void> => {
      while (cycles < 1_000) {
        const path = paths[cycles++ % paths.length]!;
        // One in fifty leaves while much is on its way, which takes the server longest.
        const stream = app.open(cycles % 50 === 0 ? '/large' : path);
        await stream.until(({ text }) => text !== '');
        stream.close();
        await stream.closed;
      }
    };
    await Promise.all(Array.from({ length: 20 }, visitor));
    await tally.until(() => tally.left === tally.subscribed);
    const server = app.nest.getHttpServer() as net.Server;
    expect(tally.subscribed).toBeGreaterThanOrEqual(1_000);
    expect([connections.count, connections.list(), streams.broadcaster.size()]).toEqual([0, [], 0]);
    expect(streams.broadcaster.rooms()).toEqual([]);
    await new Promise<void>((resolve) => {
      const look = (): void =>
        void server.getConnections((_error, count) =>
          count === 0 ? resolve() : setImmediate(look),
        );
      look();
    });
    await app.close();
    expect(timers.live.size).toBe(0);
    timers.stop();
  }, 60_000);
});

describe.each(ADAPTERS)('a source that asks or is asked (%s)', (adapter) => {
  // feature: 32
  it('an endless generator without a pause leaves other routes their turn, and stops with a stalled client', async () => {
    let made = 0;
    @Controller()
    class Endless {
      @SseStream('endless') async *endless() {
        for (;;) yield { data: `${made++} ${'x'.repeat(1_000)}` };
      }
      @Get('json') json() {
        return { j: 1 };
      }
    }
    const app = await serve(Endless, { adapter, sse: { backpressure: { stallTimeoutMs: false } } });
    const stream = await firstByte(app, '/endless');
    stream.pause();
    for (let n = 0, before = -1; n < 20 || before !== made; n++) {
      before = made;
      expect(await app.open('/json').ended).toBe('{"j":1}');
    }
    // What the kernel and this library hold, not what a busy loop makes.
    expect(made).toBeLessThan(50_000);
    const stoppedAt = made;
    stream.resume();
    await stream.until(({ text }) => text.includes(`data: ${stoppedAt} `));
    stream.close();
  });

  // feature: 34
  it('a generator is told when its client leaves', async () => {
    const returned = gate();
    @Controller()
    class Told {
      @SseStream('told') async *told(@Connection() { signal }: SseConnection) {
        try {
          yield 'one';
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          yield 'never seen';
        } finally {
          void returned.pass();
        }
      }
    }
    const app = await serve(Told, { adapter });
    const stream = app.open('/told');
    expect(await stream.next()).toMatchObject({ data: 'one' });
    stream.close();
    await returned.waiting;
    expect(stream.events).toHaveLength(1);
  });

  // feature: 23
  it('poll() is not called any more when the client has left', async () => {
    const asked = jest.fn(() => 'x');
    const tally = new Tally();
    @Controller()
    class Polled {
      @SseStream('polled') polled() {
        return tally.track(poll(1, asked));
      }
    }
    const app = await serve(Polled, { adapter });
    const stream = app.open('/polled');
    await stream.take(3);
    stream.close();
    await tally.until(() => tally.left === 1);
    const calls = asked.mock.calls.length;
    await app.open('/none').ended;
    expect(asked).toHaveBeenCalledTimes(calls);
  });
});

function nextSocketClose(app: TestApp): Promise<void> {
  return new Promise((resolve) => {
    const server = app.nest.getHttpServer() as net.Server;
    const look = (): void =>
      void server.getConnections((_error, count) => (count === 0 ? resolve() : setImmediate(look)));
    look();
  });
}

/** The timers that were set and have neither run nor been cleared. */
function watchTimers() {
  const live = new Set<unknown>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const watched = jest
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation((callback: () => void, delay?: number) => {
      const started = set(() => {
        live.delete(started);
        callback();
      }, delay);
      live.add(started);
      return started;
    });
  const cleared = jest.spyOn(globalThis, 'clearTimeout').mockImplementation((id) => {
    live.delete(id);
    clear(id);
  });
  const stop = (): void => {
    watched.mockRestore();
    cleared.mockRestore();
  };
  return { live, stop };
}
