// What fuzzing and reading have found, so that it stays right.
import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Controller, Query, Header } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { NEVER, of } from 'rxjs';
import { ADAPTERS, serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';
import { ResponseReader, type Response } from './responses.js';
import { responded } from '../support/stream-client.js';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('room') rooms: string) {
    return this.hub.stream(rooms);
  }
  @SseStream('number') number() {
    return of({ type: 7, data: 'x' });
  }
  @SseStream('log') log() {
    return of({ type: 'sse-\nforged', data: 'x' });
  }
  @SseStream('quiet') quiet() {
    return NEVER;
  }
  @SseStream('finite') finite() {
    return of('x');
  }
  @SseStream('length') @Header('Content-Length', '5') length() {
    return of('x');
  }
}

/** So many responses on one connection. */
async function exchange({ port }: TestApp, text: string, responses: number): Promise<Response[]> {
  const reader = new ResponseReader([]);
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  socket.write(text);
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    reader.feed(bytes);
    if (reader.all.length === responses && reader.all.at(-1)?.isComplete) break;
  }
  return reader.all;
}

const request = (path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

it('rooms from a query that are an object are a 400, not a 500', async () => {
  const app = await serve(Streams, {
    setup: (nest) => (nest as NestExpressApplication).set('query parser', 'extended'),
  });
  expect((await responded(app.open('/rooms?room[a]=b'))).status).toBe(400);
});

it('a line break in a type that is reserved makes no line in the log', async () => {
  const app = await serve(Streams);
  await app.open('/log').ended;
  expect(app.logged.filter((line) => line.includes('\n'))).toEqual([]);
});

describe.each(ADAPTERS)('found (%s)', (adapter) => {
  it('a number as type is an SSE_INVALID_FIELD', async () => {
    const app = await serve(Streams, { adapter });
    await app.open('/number').ended;
    expect(app.logged).toEqual([expect.stringContaining('type: expected a string')]);
  });

  // https://www.rfc-editor.org/rfc/rfc9112#section-9.6
  it('a client that asks for `Connection: close` is given it', async () => {
    const app = await serve(Streams, { adapter });
    const [response] = await exchange(app, request('/finite', 'Connection: close\r\n'), 1);
    expect(response?.headers.get('connection')).toBe('close');
  });

  it('a Content-Length of the app does not make events the next response', async () => {
    const app = await serve(Streams, { adapter });
    const all = await exchange(app, request('/length') + request('/finite'), 2);
    expect(all.map(({ status }) => status)).toEqual([200, 200]);
  });

  // Without a socket of its own and with another version than 1, a response is not watched: the
  // connection stays for good.
  describe.each([' HTTP/2.0', ''])('with the version "%s"', (version) => {
    it('a request that waits behind another one leaves with its client', async () => {
      const app = await serve(Streams, {
        adapter,
        sse: { keepAlive: false, shutdown: { timeoutMs: 0 } },
      });
      const connections = app.nest.get(SseConnections);
      const closed = new Promise((resolve) => {
        const server = app.nest.getHttpServer() as net.Server;
        server.once('connection', (socket) => socket.once('close', resolve));
      });
      const socket = net.connect(app.port, '127.0.0.1').on('error', () => {});
      socket.write(`${request('/quiet')}GET /quiet${version}\r\nHost: x\r\n\r\n`);
      await until('both are open', () => connections.count === 2);
      socket.destroy();
      await closed;
      await new Promise(setImmediate);
      expect(connections.count).toBe(0);
    });
  });
});
