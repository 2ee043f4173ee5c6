import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  ForbiddenException,
  type INestApplication,
  Module,
  RequestMethod,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseModule,
  SseStream,
} from 'nestjs-eventstream';
import { openStream, type OpenStreamOptions } from 'nestjs-eventstream/testing';
import { concat, NEVER, of, throwError } from 'rxjs';
import { ADAPTERS, type Adapter } from '../support/serve.js';
import { until } from '../support/until.js';
import { streamOf } from '../../lib/connection/current-stream.js';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('orders') orders() {
    return this.hub.stream('orders');
  }
  @SseStream('three') three() {
    return of({ type: 'a', id: 1, data: { n: 1 } }, { type: 'b', retry: 7, data: 'text' }, 3);
  }
  @SseStream('forbidden') forbidden() {
    return throwError(() => new ForbiddenException('not yours'));
  }
  @SseStream('silent') silent() {
    return new Promise<typeof NEVER>(() => {});
  }
  @SseStream('cut') cut(@Connection() connection: SseConnection) {
    void connection.send({ data: 'x' }).then(() => streamOf(connection).destroy('overflow'));
    return NEVER;
  }
  @SseStream('posted', { method: RequestMethod.POST }) posted(@Body() body: object) {
    return of({ data: body });
  }
}

/** The wire of a state room: the n-th element to the n-th client. */
const STATES = [
  [
    { type: 'sse-state', data: { rooms: ['prices'], entries: 1 } },
    { type: 'sse-set', data: { room: 'prices', key: 'A', value: 1 } },
    { type: 'sse-set', id: 1, data: { room: 'prices', key: 'B', value: 2 } },
    { type: 'sse-state', data: { rooms: ['prices'], entries: 2 } },
    { type: 'sse-set', data: { room: 'prices', key: 'X', value: 0 } },
  ],
  [{ type: 'sse-delete', id: 2, data: { room: 'prices', key: 'A' } }],
];

@Controller()
class Prices {
  private clients = 0;
  @SseStream('prices') prices() {
    return concat(of(...STATES[this.clients++]!), NEVER);
  }
}

@Module({
  imports: [SseModule.forRoot({ history: { maxEvents: 3 }, shutdown: { timeoutMs: 0 } })],
  controllers: [Streams, Prices],
})
class App {}

const apps: INestApplication[] = [];
afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));

async function makeApp(adapter: Adapter): Promise<INestApplication> {
  const http = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(App, http, { logger: false });
  apps.push(app);
  return app;
}

it('openStream() speaks HTTP/2', async () => {
  const http = new FastifyAdapter({ http2: true } as object);
  const app = await NestFactory.create(App, http, { logger: false });
  apps.push(app);
  const stream = await openStream(app, '/three', { http2: true });
  expect(stream.status).toBe(200);
  expect(await stream.take(3)).toHaveLength(3);
  expect(await stream.ended).toContain('data: {"n":1}');
});

describe('stateOf()', () => {
  it('has the entries of a whole state and its changes, also of before a reconnect', async () => {
    const app = await makeApp('express');
    const first = await openStream(app, '/prices');
    await first.take(5);
    const entries = await first.stateOf('prices');
    expect([...entries]).toEqual([
      ['A', 1],
      ['B', 2],
    ]);
    const second = await first.reconnect();
    await second.next('sse-delete');
    expect([...(await second.stateOf('prices'))]).toEqual([['B', 2]]);
    expect([...entries.keys()]).toEqual(['A', 'B']);
  });

  it('rejects with what came when there is no state', async () => {
    const app = await makeApp('express');
    const stream = await openStream(app, '/three');
    await expect(stream.stateOf('prices')).rejects.toThrow(
      'waited for the state of room "prices": the server ended the stream; events: 3 received',
    );
  });
});

describe.each(ADAPTERS)('openStream() on %s', (adapter) => {
  const opened = async (path: string, options?: OpenStreamOptions) => {
    const app = await makeApp(adapter);
    const hub = app.get(Broadcaster, { strict: false });
    const emit = async (...numbers: number[]): Promise<void> => {
      for (const no of numbers) await hub.to('orders').emit(no % 2 ? 'odd' : 'even', { no });
    };
    return { app, emit, stream: await openStream(app, path, options) };
  };

  it('makes an app listen, once, and takes one that listens already', async () => {
    const app = await makeApp(adapter);
    const open = () => openStream(app, '/orders');
    const both = await Promise.all([open(), open()]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect((await open()).headers['content-type']).toBe('text/event-stream');
    const other = await makeApp(adapter);
    await other.listen(0, '127.0.0.1');
    expect((await openStream(other, '/orders')).status).toBe(200);
  });

  // feature: 87
  it('hands out events in order, parsed', async () => {
    const { stream } = await opened('/three');
    expect(await stream.next()).toEqual({ type: 'a', id: '1', data: { n: 1 } });
    expect(await stream.take(2)).toMatchObject([
      { type: 'b', data: 'text' },
      { type: 'message', data: 3 },
    ]);
    expect(await stream.ended).toBe(stream.text);
    expect(stream.events).toHaveLength(3);
    expect(stream).toMatchObject({ cursor: '1', retryMs: 7 });
  });

  it('awaits events of a type, and what only the text shows', async () => {
    const { stream, emit } = await opened('/orders');
    const even = stream.next('even');
    await emit(1, 2, 3);
    expect(await even).toMatchObject({ data: { no: 2 } });
    expect(await stream.next()).toMatchObject({ type: 'odd', data: { no: 3 } });
    await stream.until(({ text, events }) => text.startsWith(': connected') && events.length === 3);
  });

  it('says what came when what was awaited does not', async () => {
    const { stream, emit } = await opened('/orders');
    stream.timeoutMs = 20;
    await expect(stream.next()).rejects.toThrow(
      /^waited for an event: not within 20 ms; no event arrived; the text so far: "/,
    );
    stream.timeoutMs = 2_000;
    await emit(1, 3);
    await stream.until(({ events }) => events.length === 2);
    stream.timeoutMs = 20;
    await stream.next();
    await expect(stream.next('even')).rejects.toThrow(
      'waited for an event "even": not within 20 ms; events: 2 received, 1 returned; the last: odd { no: 3 }',
    );
    await expect(stream.take(2)).rejects.toThrow('waited for 2 events: not within 20 ms');
    expect(await stream.take(1)).toHaveLength(1);
  });

  it('says at once that nothing more comes, and how it ended', async () => {
    const { app, stream } = await opened('/three', { timeoutMs: Infinity });
    await expect(stream.take(4)).rejects.toThrow('the server ended the stream; events: 3 received');
    const cut = await openStream(app, '/cut', { timeoutMs: Infinity });
    await cut.next();
    await expect(cut.next()).rejects.toThrow('the connection was cut; events: 1 received');
    await expect(cut.ended).rejects.toThrow('the connection was cut');
    await cut.closed;
    const left = await openStream(app, '/orders', { timeoutMs: Infinity });
    const next = left.next();
    left.close();
    await expect(next).rejects.toThrow('close() was called');
  });

  it('shows what answered instead of a stream', async () => {
    const { stream } = await opened('/forbidden');
    expect(stream.status).toBe(403);
    await stream.ended;
    await expect(stream.next()).rejects.toThrow(/the response was 403: .*not yours/);
  });

  it('rejects without a response, and leaves', async () => {
    const { app } = await opened('/orders');
    await expect(openStream(app, '/silent', { timeoutMs: 20 })).rejects.toThrow(
      'waited for a response: not within 20 ms; there was no response',
    );
  });

  it('comes back with the cursor, also before its first event', async () => {
    const { stream, emit } = await opened('/orders');
    await stream.until(({ cursor }) => cursor !== undefined);
    stream.close();
    await emit(1);
    const back = await stream.reconnect();
    expect(await back.next()).toMatchObject({ data: { no: 1 } });
    await emit(2);
    await back.next();
    await emit(3);
    const again = await back.reconnect();
    expect(again.cursor).toBeDefined();
    expect(await again.next()).toMatchObject({ data: { no: 3 } });
  });

  it('tells a gap', async () => {
    const { stream, emit } = await opened('/orders');
    await stream.until(({ cursor }) => cursor !== undefined);
    stream.close();
    await emit(1, 2, 3, 4, 5);
    expect(await (await stream.reconnect()).gap()).toEqual({
      rooms: ['orders'],
      reason: 'trimmed',
    });
    const stranger = await stream.reconnect({ lastEventId: 'ä✓' });
    expect((await stranger.gap()).reason).toBe('unknown');
  });

  it('sends other methods', async () => {
    const { stream } = await opened('/posted', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"no":7}',
    });
    expect(await stream.next()).toMatchObject({ data: { no: 7 } });
  });

  it('reads slowly, or not at all', async () => {
    const { app, stream, emit } = await opened('/orders');
    const connections = app.get(SseConnections, { strict: false });
    await stream.until(({ cursor }) => cursor !== undefined);
    const { length } = stream.text;
    stream.pause();
    await emit(1);
    await until('it is written', () => connections.list()[0]?.sentEvents === 1);
    await until('10 bytes have arrived', () => stream.read(10));
    expect(stream.text).toHaveLength(length + 10);
    expect(stream.events).toEqual([]);
    expect(stream.read(1_000_000)).toBe(false);
    stream.resume();
    expect(await stream.next()).toMatchObject({ data: { no: 1 } });
  });

  it('leaves: the server hears it', async () => {
    const { app, stream } = await opened('/orders');
    const connections = app.get(SseConnections, { strict: false });
    expect(connections.count).toBe(1);
    stream.close();
    stream.close();
    await stream.closed;
    await until('the server knows', () => connections.count === 0);
  });
});
