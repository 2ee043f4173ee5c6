import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { finalize, map, merge, Observable } from 'rxjs';
import {
  Broadcaster,
  Connection,
  SseConnections,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { until } from '../support/until.js';

const store = new AsyncLocalStorage<string>();
const seen = new Map<string, string | undefined>();
const note = (where: string): void => void seen.set(where, store.getStore());

@Controller()
class Everywhere {
  constructor(private readonly hub: Broadcaster) {}

  @SseStream('everywhere')
  everywhere(@Connection() connection: SseConnection) {
    note('handler');
    connection.signal.addEventListener('abort', () => note('abort'));
    void connection.closed.then(() => note('closed'));
    const source = new Observable<string>(() => {
      note('source');
      return () => note('teardown');
    });
    const hub = this.hub.stream('room', {
      filter: () => {
        note('filter');
        return true;
      },
      snapshot: async () => {
        note('snapshot');
        return [];
      },
      authorize: async () => {
        note('authorize');
        return true;
      },
    });
    return merge(source, hub.pipe(map((event) => (note('operator'), event)))).pipe(
      finalize(() => note('finalize')),
    );
  }

  @SseStream('fails', { onError: () => note('onError') })
  fails() {
    return this.hub.stream('fails', {
      filter: () => {
        throw new Error('in a filter');
      },
    });
  }
}

it.each(ADAPTERS)(
  'the app’s stores are there in all that it runs for a stream (%s)',
  async (adapter) => {
    seen.clear();
    const app = await serve(Everywhere, {
      adapter,
      setup: (nest) =>
        void nest.use((_request: unknown, _response: unknown, next: () => void) => {
          store.run('of the request', next);
        }),
    });
    const hub = app.nest.get(Broadcaster);
    const connections = app.nest.get(SseConnections);
    const stream = app.open('/everywhere');
    await stream.until(({ text }) => text.includes(': connected'));
    await hub.to('room').emit('tick', 1);
    await stream.next();
    stream.close();
    await until('the client has left', () => connections.count === 0 && seen.has('closed'));
    const failing = app.open('/fails');
    await failing.until(({ text }) => text.includes(': connected'));
    await hub.to('fails').emit('tick', 1);
    await failing.ended;
    const places = [
      'handler',
      'abort',
      'closed',
      'source',
      'teardown',
      'filter',
      'snapshot',
      'authorize',
      'operator',
      'finalize',
      'onError',
    ];
    expect(Object.fromEntries(seen)).toEqual(
      Object.fromEntries(places.map((place) => [place, 'of the request'])),
    );
  },
);
