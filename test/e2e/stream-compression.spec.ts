// The option `compression`: what clients read is what they would read without it, as soon, and to
// its end.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, type INestApplication } from '@nestjs/common';
import compression from 'compression';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import net from 'node:net';
import { concat, NEVER, of, Subject } from 'rxjs';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseStream,
} from 'nestjs-eventstream';
import { openGzip, type GzipClient } from '../support/gzip-client.js';
import { ADAPTERS, serve, type ServeOptions, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';
import { watchWrites } from '../support/socket-writes.js';
import { until } from '../support/until.js';

const https = {
  key: readFileSync(new URL('../support/tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('../support/tls/cert.pem', import.meta.url)),
};

const TRANSPORTS = [
  ['HTTP/1.1 on Express', { adapter: 'express' }],
  ['HTTP/1.1 on Fastify', { adapter: 'fastify' }],
  ['TLS on Express', { adapter: 'express', http: { https } }],
  ['TLS on Fastify', { adapter: 'fastify', http: { https } }],
  ['HTTP/2 on Fastify', { adapter: 'fastify', http: { https, http2: true } }],
] as const;

const mine = new Subject<string>();

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('room') room() {
    return this.hub.stream('room');
  }
  @SseStream('two') two() {
    return this.hub.stream(['room', 'other']);
  }
  @SseStream('plain', { compression: false }) plain() {
    return this.hub.stream('room');
  }
  @SseStream('mine') mine(@Connection() connection: SseConnection) {
    void connection.send({ data: 'for me alone' });
    return concat(of('first'), mine);
  }
  @SseStream('finite') finite() {
    return of('one', '✓ two');
  }
  @SseStream('silent', { keepAlive: { intervalMs: 20 } }) silent() {
    return NEVER;
  }
  @SseStream('either', { negotiate: true }) either(@Connection() connection: SseConnection) {
    return connection.request.headers.accept === 'application/json'
      ? { orders: 1 }
      : this.hub.stream('room');
  }
  @SseStream('encoded', { headers: { 'Content-Encoding': 'identity' } }) encoded() {
    return this.hub.stream('room');
  }
  @SseStream('varied', { headers: { Vary: 'Origin' } }) varied() {
    return this.hub.stream('room');
  }
}

const clients: GzipClient[] = [];

afterEach(() => {
  jest.restoreAllMocks();
  for (const client of clients.splice(0)) client.close();
});

const compressed = (options: ServeOptions = {}): Promise<TestApp> =>
  serve(Streams, { ...options, sse: { compression: true, ...options.sse } });

async function open(
  app: TestApp,
  path: string,
  headers: Record<string, string> = {},
): Promise<GzipClient> {
  const http2 = app.nest.getHttpServer() instanceof net.Server && isHttp2(app.nest);
  const client = await openGzip({ url: app.url + path, headers, http2 });
  clients.push(client);
  return client;
}

const isHttp2 = (nest: INestApplication): boolean =>
  'Http2SecureServer' === (nest.getHttpServer() as object).constructor.name;

const hasCursor = (text: string): boolean => /^id: /m.test(text);

const emit = (app: TestApp, data: unknown, room = 'room'): Promise<string> =>
  app.nest.get(Broadcaster).to(room).emit('x', data);

describe.each(TRANSPORTS)('a compressed stream over %s', (_title, options) => {
  // feature: 81
  it('has each event at once', async () => {
    const app = await compressed(options);
    const client = await open(app, '/room');
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      'cache-control': 'no-cache, no-transform',
    });
    expect(client.headers).not.toHaveProperty('content-length');
    await client.until('the opening', hasCursor);
    for (const data of ['one', '✓ two', 'three']) {
      const id = await emit(app, data);
      await client.until(data, (text) => text.endsWith(`data: ${data}\nid: ${id}\n\n`));
    }
    expect(app.logged).toEqual([]);
  });

  // feature: 81
  it('ends as gzip does', async () => {
    const app = await compressed(options);
    const client = await open(app, '/finite');
    expect(await client.ended).toMatch(/\n\ndata: one\n\ndata: ✓ two\n\n$/);
    expect(app.logged).toEqual([]);
  });

  // feature: 81
  it('ends as gzip does when the app shuts down', async () => {
    const app = await compressed(options);
    const all = await Promise.all(Array.from({ length: 5 }, () => open(app, '/room')));
    await emit(app, 'last');
    const closed = app.close();
    for (const client of all) {
      expect(await client.ended).toMatch(/data: last\nid: \S+\n\n(: .*\n)?retry: \d+\n\n$/);
    }
    await closed;
  });

  // feature: 81
  it('has the missed events for a client that returns', async () => {
    const app = await compressed(options);
    const first = await open(app, '/room');
    await first.until('the opening', hasCursor);
    const cursor = await emit(app, 'seen');
    first.close();
    for (let n = 0; n < 300; n++) await emit(app, { n, text: `missed ${n}` });
    const again = await open(app, '/room', { 'last-event-id': cursor });
    await again.until('all events', () => again.data.length === 300);
    await emit(app, 'live');
    await again.until('a live event', () => again.data.length === 301);
    const expected = Array.from({ length: 300 }, (_, n) => `{"n":${n},"text":"missed ${n}"}`);
    expect(again.data).toEqual([...expected, 'live']);
    expect(again.bytes).toBeLessThan(again.text.length / 4);
  });

  // feature: 81
  it('has keep-alives', async () => {
    const app = await compressed(options);
    const client = await open(app, '/silent');
    await client.until('three of them', (text) => text.split(': keep-alive\n\n').length > 3);
    expect(client.text).toMatch(
      /^: connected, keep-alive 20\nretry: \d+\n\n(: keep-alive\n\n){3,}$/,
    );
  });

  // feature: 81
  it('has a head without a body for HEAD', async () => {
    const app = await compressed(options);
    const request = { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } };
    const stream = app.open('/room', request);
    expect(await stream.ended).toBe('');
    expect([stream.status, stream.headers['content-encoding'], stream.headers.vary]).toEqual([
      200,
      'gzip',
      'Accept-Encoding',
    ]);
  });
});

describe.each(ADAPTERS)('compression (%s)', (adapter) => {
  // feature: 81
  it.each([
    [{}],
    [{ 'accept-encoding': 'identity' }],
    [{ 'accept-encoding': 'gzip;q=0' }],
    [{ 'accept-encoding': '*;q=0' }],
    [{ 'accept-encoding': 'br, deflate' }],
    [{ 'accept-encoding': 'gzip;q=0.2, identity;q=0.8' }],
  ])('is not for a client with %j', async (headers) => {
    const app = await compressed({ adapter });
    const stream = app.open('/room', { headers });
    await stream.until(({ text }) => hasCursor(text));
    expect(stream.headers).not.toHaveProperty('content-encoding');
    expect(stream.headers.vary).toBe('Accept-Encoding');
    await emit(app, 1);
    expect((await stream.next()).data).toBe(1);
  });

  // feature: 81
  it('is off by default, and where a stream says so', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    const byDefault = await serve(Streams, { adapter });
    const stream = await responded(byDefault.open('/room', { headers }));
    expect(stream.headers).not.toHaveProperty('content-encoding');
    expect(stream.headers).not.toHaveProperty('vary');
    const app = await compressed({ adapter });
    const plain = await responded(app.open('/plain', { headers }));
    expect(plain.headers).not.toHaveProperty('content-encoding');
  });

  // feature: 81
  it('adds to the Vary of the app', async () => {
    const app = await compressed({ adapter });
    expect((await open(app, '/varied')).headers['vary']).toBe('Origin, Accept-Encoding');
  });

  // feature: 81
  it('is of the stream, not of the answer without one, of a route that negotiates', async () => {
    const app = await compressed({ adapter });
    const json = await responded(
      app.open('/either', { headers: { accept: 'application/json', 'accept-encoding': 'gzip' } }),
    );
    expect(json.headers).not.toHaveProperty('content-encoding');
    expect(await json.ended).toBe('{"orders":1}');
    const client = await open(app, '/either', { accept: 'text/event-stream' });
    expect(client.headers['content-encoding']).toBe('gzip');
    await client.until('the opening', hasCursor);
  });

  // feature: 81
  it('is not of a refusal', async () => {
    const app = await compressed({ adapter, sse: { limits: { maxConnections: 1 } } });
    await (await open(app, '/room')).until('the opening', hasCursor);
    const refused = app.open('/room', { headers: { 'accept-encoding': 'gzip' } });
    expect(await refused.ended).toMatch(/^retry: \d+\n\n$/);
    expect(refused.headers).not.toHaveProperty('content-encoding');
  });

  // feature: 81
  it('holds for a stream whose events are its own, between those that it shares', async () => {
    const app = await compressed({ adapter });
    const client = await open(app, '/mine');
    await client.until('the first', (text) => text.includes('data: first\n\n'));
    for (const data of ['a', 'b', 'c']) {
      mine.next(data);
      await client.until(data, (text) => text.endsWith(`data: ${data}\n\n`));
    }
    expect(client.data).toEqual(['for me alone', 'first', 'a', 'b', 'c']);
  });

  // feature: 81
  it('tells a slow client what it lost', async () => {
    const app = await compressed({
      adapter,
      sse: { backpressure: { overflow: 'drop-oldest', maxBufferedBytes: 20_000 } },
    });
    const client = await open(app, '/room');
    await client.until('the opening', hasCursor);
    client.pause();
    const [connection] = app.nest.get(SseConnections).list();
    let n = 0;
    // Random text, which gzip cannot make small, fills the buffers of the kernel sooner.
    const noise = (): string =>
      Array.from({ length: 400 }, () => Math.random().toString(36).slice(2)).join('');
    while (connection!.droppedEvents < 10) await emit(app, { n: n++, noise: noise() });
    client.resume();
    await emit(app, 'after');
    await client.until('what came after', (text) => text.includes('data: after\n'));
    const gaps = client.text.match(/event: sse-gap\ndata: .*"overflow"/g) ?? [];
    expect(gaps.length).toBeGreaterThan(0);
    const seen = client.data.filter((data) => data.startsWith('{"n"')).length;
    expect(seen + connection!.droppedEvents).toBe(n);
  });

  // feature: 81
  it('counts the bytes that are sent', async () => {
    const app = await compressed({ adapter });
    const client = await open(app, '/room');
    await client.until('the opening', hasCursor);
    for (let n = 0; n < 50; n++) await emit(app, { n, symbol: 'ACME', text: 'as before' });
    await client.until('all', () => client.data.length === 50);
    const [connection] = app.nest.get(SseConnections).list();
    expect(connection!.sentBytes).toBe(client.bytes);
    expect(client.bytes).toBeLessThan(client.text.length / 2);
    expect(connection!.sentEvents).toBe(50);
    connection!.close();
    await client.ended;
    expect(connection!.sentBytes).toBe(client.bytes);
  });

  // feature: 81
  it('is done once for a thousand readers', async () => {
    const app = await compressed({ adapter });
    const readers: GzipClient[] = [];
    for (let n = 0; n < 1_000; n += 50) {
      readers.push(...(await Promise.all(Array.from({ length: 50 }, () => open(app, '/room')))));
    }
    for (const reader of readers) await reader.until('the opening', hasCursor);
    const written = watchWrites(app.port);
    for (const data of ['one', 'two', 'three']) {
      written.length = 0;
      await emit(app, data);
      for (const reader of readers) await reader.until(data, () => reader.data.at(-1) === data);
      expect([written.length, new Set(written).size]).toEqual([1_000, 1]);
    }
  }, 120_000);

  // feature: 81
  it('is right for readers of different rooms', async () => {
    const app = await compressed({ adapter });
    const [one, both] = [await open(app, '/room'), await open(app, '/two')];
    for (const client of [one, both]) await client.until('the opening', hasCursor);
    for (let n = 0; n < 40; n++) await emit(app, { n }, n % 3 === 0 ? 'other' : 'room');
    await both.until('all', () => both.data.length === 40);
    await one.until('its own', () => one.data.length === 26);
    expect(both.data).toEqual(Array.from({ length: 40 }, (_, n) => `{"n":${n}}`));
    expect(one.data).toEqual(both.data.filter((_, n) => n % 3 !== 0));
  });
});

describe('beside something that compresses', () => {
  // feature: 81
  it('is done once behind `compression`, with a warning', async () => {
    const logged: string[] = [];
    for (const sse of [{}, { headers: { 'Cache-Control': 'no-cache' } }]) {
      const app = await compressed({
        sse,
        setup: (nest) => nest.use(compression({ threshold: 0 })),
      });
      const client = await open(app, '/room');
      expect(client.headers['content-encoding']).toBe('gzip');
      await client.until('the opening', hasCursor);
      await emit(app, 'one');
      await client.until('the event', () => client.data.at(-1) === 'one');
      await emit(app, 'two');
      await client.until('the event', () => client.data.at(-1) === 'two');
      const [connection] = app.nest.get(SseConnections).list();
      connection!.close();
      await client.ended;
      logged.push(...app.logged);
    }
    expect(logged).toEqual([
      'The stream /room is compressed by the option `compression`, but each chunk goes through the middleware that compresses other responses. Leave the path out of the middleware, which saves CPU.',
    ]);
  });

  // feature: 81
  it('leaves a response alone that is encoded already, with a warning', async () => {
    const app = await compressed();
    for (let n = 0; n < 2; n++) {
      const stream = app.open('/encoded', { headers: { 'accept-encoding': 'gzip' } });
      await stream.until(({ text }) => hasCursor(text));
      expect(stream.headers['content-encoding']).toBe('identity');
    }
    expect(app.logged.filter((line) => line.includes('`compression`'))).toEqual([
      '`compression` has no effect on the stream /encoded, because its response already has "Content-Encoding: identity". Remove that header, or set `compression: false` for the stream.',
    ]);
  });

  // feature: 81
  it('leaves a response alone whose head middleware changes while it is written, with a warning', async () => {
    const app = await compressed({
      setup: (nest) =>
        nest.use((_request: unknown, response: ServerResponse, next: () => void) => {
          const writeHead = response.writeHead.bind(response);
          response.setHeader('X-Seen', '1');
          response.writeHead = ((status: number, headers: object) =>
            writeHead(status, {
              ...headers,
              'Content-Encoding': 'x-own',
            } as never)) as never;
          next();
        }),
    });
    const stream = app.open('/room', { headers: { 'accept-encoding': 'gzip' } });
    await stream.until(({ text }) => hasCursor(text));
    expect(stream.headers['content-encoding']).toBe('x-own');
    await until('the warnings are there', () => app.logged.length > 0);
    expect(app.logged[0]).toContain('already has "Content-Encoding: x-own"');
  });
});
