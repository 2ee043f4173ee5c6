// Streams behind the `compression` middleware: left alone by default, and where the app lets it
// compress them, not held back.
import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import compression from 'compression';
import type { ServerResponse } from 'node:http';
import { constants, gunzipSync } from 'node:zlib';
import http from 'node:http';
import { once } from 'node:events';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('room') room() {
    return this.hub.stream('room');
  }
}

const COMPRESSED = { headers: { 'Cache-Control': 'no-cache' } };

const behindCompression = (options: ServeOptions = {}) =>
  serve(Streams, { ...options, setup: (nest) => nest.use(compression({ threshold: 0 })) });

describe.each(ADAPTERS)('behind compression (%s)', (adapter) => {
  // feature: 81
  // fault: 21
  it('a stream is not compressed, because of no-transform', async () => {
    const app = await behindCompression({ adapter });
    const stream = app.open('/room', { headers: { 'accept-encoding': 'gzip' } });
    expect((await responded(stream)).headers['content-encoding']).toBeUndefined();
    await stream.until(({ text }) => /^id: /m.test(text));
    await app.nest.get(Broadcaster).to('room').emit('x', 1);
    expect((await stream.next()).data).toBe(1);
  });

  // feature: 81
  // fault: 21
  it('a stream that the app lets be compressed has each event at once', async () => {
    const app = await behindCompression({ adapter, sse: COMPRESSED });
    const request = http.get(`${app.url}/room`, {
      agent: false,
      headers: { 'accept-encoding': 'gzip' },
    });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.headers['content-encoding']).toBe('gzip');
    const parts: Buffer[] = [];
    const text = (): string =>
      gunzipSync(Buffer.concat(parts), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
    response.on('data', (part: Buffer) => parts.push(part));
    const has = (part: string): Promise<void> =>
      until(`"${part}" is there`, () => parts.length > 0 && text().includes(part));
    await has('id: ');
    for (const data of ['one', 'two', 'three']) {
      await app.nest.get(Broadcaster).to('room').emit('x', data);
      await has(`data: ${data}\nid: `);
    }
    expect(app.logged).toEqual([]);
    request.destroy();
  });
});

describe('a warning', () => {
  it('is of something that compresses and cannot be told to hand on what it has', async () => {
    const app = await serve(Streams, {
      setup: (nest) =>
        nest.use((_request: unknown, response: ServerResponse, next: () => void) => {
          response.setHeader('Content-Encoding', 'x-own');
          next();
        }),
    });
    const stream = app.open('/room');
    await stream.until(({ text }) => text !== '');
    expect(app.logged).toEqual([
      'Something compresses event streams, which can delay events; exclude event streams from it, or keep `no-transform` in Cache-Control',
    ]);
  });

  it('is of a browser with six streams on HTTP/1.1, once', async () => {
    const app = await serve(Streams);
    const headers = { 'sec-fetch-mode': 'cors', 'user-agent': 'a browser' };
    const open = async (more = {}): Promise<TestStream> => {
      const stream = app.open('/room', { headers: { ...headers, ...more } });
      await stream.until(({ text }) => text !== '');
      return stream;
    };
    const { nest } = app;
    for (let n = 0; n < 6; n++) {
      (await open()).close();
      await until('it has left', () => nest.get(SseConnections).count === 0);
    }
    for (let n = 0; n < 5; n++) await open();
    for (let n = 0; n < 6; n++) await open({ 'x-forwarded-for': '192.0.2.1' });
    for (let n = 0; n < 6; n++) await open({ 'user-agent': `browser ${n}` });
    expect(app.logged).toEqual([]);
    await open();
    await open();
    expect(app.logged).toEqual([
      'A browser has 6 streams open over HTTP/1.1, the most it allows per origin, so its next request waits. ' +
        'Use one stream for several rooms, share it between tabs, or serve HTTP/2.',
    ]);
  });

  it('is of a keep-alive that proxies would not wait for', async () => {
    const app = await serve(Streams, { sse: { keepAlive: { intervalMs: 60_000 } } });
    await app.open('/room').until(({ text }) => text !== '');
    expect(app.logged).toEqual([
      'keepAlive.intervalMs is 60000, but proxies close connections that are idle for 60 s; choose a much shorter interval',
    ]);
  });
});
