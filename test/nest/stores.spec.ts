// The app's stores in what runs for a stream while somebody else publishes.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it } from '@jest/globals';
import {
  Controller,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { finalize, Observable, tap } from 'rxjs';
import {
  Broadcaster,
  Connection,
  SSE_CHANNELS,
  SseConnections,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import { hubOf } from '../../lib/hub/hub.js';
import { ADAPTERS, serve, type ServeOptions, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

const store = new AsyncLocalStorage<string>();

/** As CLS of an app: a store around the handler and what it returns. */
class InStore implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return new Observable((subscriber) =>
      store.run('interceptor', () => next.handle().subscribe(subscriber)),
    );
  }
}

/** Where something ran, and in which store. */
class Notes {
  readonly seen: Record<string, string | undefined> = {};
  note(where: string): void {
    this.seen[where] ??= store.getStore() ?? 'none';
  }
}

const BLOCKED = { maxBufferedBytes: 1_000, overflow: 'conflate' } as const;

function controllerOf(notes: Notes) {
  @Controller()
  class Streams {
    constructor(private readonly hub: Broadcaster) {}

    @SseStream('bare', { openWithinMs: 5_000 })
    bare() {
      return this.hub.stream('bare', { snapshot: () => new Promise(() => {}) });
    }

    @SseStream('held', { openWithinMs: 5_000 })
    held() {
      return this.hub.stream('held');
    }

    @SseStream('conflated', {
      backpressure: {
        ...BLOCKED,
        key: () => {
          notes.note('key');
          throw new Error('no key');
        },
      },
      onError: () => {
        notes.note('onError');
        return undefined;
      },
    })
    conflated() {
      return this.hub.stream('conflated');
    }

    @SseStream('cut', { backpressure: { maxBufferedBytes: 1_000 } })
    cut(@Connection() connection: SseConnection) {
      connection.signal.addEventListener('abort', () => notes.note('abort'));
      return this.hub.stream('cut');
    }

    @UseInterceptors(InStore)
    @SseStream('interceptor')
    interceptor(@Connection() connection: SseConnection) {
      connection.signal.addEventListener('abort', () => notes.note('abort'));
      return this.hub.stream('interceptor').pipe(finalize(() => notes.note('finalize')));
    }

    @SseStream('entered')
    entered(@Connection() connection: SseConnection) {
      store.enterWith('entered');
      connection.signal.addEventListener('abort', () => notes.note('abort'));
      return this.hub.stream('entered').pipe(finalize(() => notes.note('finalize')));
    }

    @SseStream('last')
    last() {
      return this.hub
        .stream('last', { onGap: 'end' })
        .pipe(tap({ complete: () => notes.note('complete') }));
    }
  }
  return Streams;
}

async function app(notes: Notes, options: ServeOptions = {}): Promise<TestApp> {
  return serve(controllerOf(notes), {
    ...options,
    setup: (nest) => {
      nest.use((_request: unknown, _response: unknown, next: () => void) =>
        store.run('reader', next),
      );
      options.setup?.(nest);
    },
  });
}

const emit = (to: TestApp, room: string, data: unknown = 1): Promise<string> =>
  store.run('publisher', () => to.nest.get(Broadcaster).to(room).emit('n', data));

it('a stream that an event begins has its head written in the store of its reader', async () => {
  const notes = new Notes();
  const served = await app(notes, {
    adapter: 'fastify',
    setup: (nest) => {
      const { instance } = nest.getHttpAdapter() as unknown as {
        instance: { addHook(name: string, hook: unknown): void };
      };
      instance.addHook('onSend', async () => notes.note('onSend'));
    },
  });
  served.nest.get(SseConnections).opened$.subscribe(() => notes.note('opened$'));
  const stream = served.open('/held');
  await until('a reader', () => served.nest.get(Broadcaster).size('held') > 0);
  await emit(served, 'held');
  await stream.next();
  expect(notes.seen).toEqual({ onSend: 'reader', opened$: 'reader' });
});

it('what decides about a slow client, and its error, run in the store of the client', async () => {
  const notes = new Notes();
  const served = await app(notes);
  const stream = served.open('/conflated');
  await stream.until(({ text }) => text.includes(': connected'));
  stream.pause();
  const connections = served.nest.get(SseConnections);
  while (connections.count > 0 && notes.seen['key'] === undefined) {
    await emit(served, 'conflated', 'x'.repeat(500_000));
  }
  await until('the end', () => connections.count === 0);
  expect(notes.seen).toEqual({ key: 'reader', onError: 'reader' });
});

it('the end of a client that is cut runs in its store', async () => {
  const notes = new Notes();
  const served = await app(notes);
  const stream = served.open('/cut');
  await stream.until(({ text }) => text.includes(': connected'));
  stream.pause();
  const onClose = (): void => notes.note('channel');
  subscribe(SSE_CHANNELS.close, onClose);
  const connections = served.nest.get(SseConnections);
  connections.closed$.subscribe(() => notes.note('closed$'));
  while (connections.count > 0) await emit(served, 'cut', 'x'.repeat(500_000));
  unsubscribe(SSE_CHANNELS.close, onClose);
  expect(notes.seen).toEqual({ abort: 'reader', channel: 'reader', closed$: 'reader' });
});

it.each(['interceptor', 'entered'])(
  'a store that the handler is called in, or enters, is there at the end (%s)',
  async (route) => {
    const notes = new Notes();
    const served = await app(notes);
    const stream = served.open(`/${route}`);
    await stream.until(({ text }) => text.includes(': connected'));
    stream.close();
    await until('the end', () => served.nest.get(SseConnections).count === 0);
    expect(notes.seen).toEqual({ abort: route, finalize: route });
  },
);

it.each(ADAPTERS)('a loss that a log reports ends a stream in its store (%s)', async (adapter) => {
  const notes = new Notes();
  const served = await app(notes, { adapter });
  const stream = served.open('/last');
  await stream.until(({ text }) => text.includes(': connected'));
  const { delivery } = hubOf(served.nest.get(Broadcaster));
  store.run('log', () => delivery.lost({ rooms: ['last'], reason: 'unknown' }));
  await stream.ended;
  expect(notes.seen).toEqual({ complete: 'reader' });
});
