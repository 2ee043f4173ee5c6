import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventSource } from 'eventsource';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { concat, map, NEVER, of, timer } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';
import { Registry } from '../../lib/connection/registry.js';
import { responded } from '../support/stream-client.js';

const https = {
  key: readFileSync(new URL('../support/tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('../support/tls/cert.pem', import.meta.url)),
};

@Controller()
class Streams {
  constructor(readonly broadcaster: Broadcaster) {}
  @SseStream('finite') finite() {
    return of('one', '✓ two');
  }
  @SseStream('unicode') unicode() {
    return of('✓', '𝄞 🎉');
  }
  @SseStream('ticks') ticks() {
    return timer(0, 5).pipe(map((data) => ({ data, id: String(data) })));
  }
  @SseStream('room') room() {
    return this.broadcaster.stream('room');
  }
  @SseStream('late') late() {
    return concat(timer(5).pipe(map(() => 'first')), NEVER);
  }
}

const TRANSPORTS = [
  ['HTTP/1.1 on Express', { adapter: 'express' }],
  ['HTTP/1.1 on Fastify', { adapter: 'fastify' }],
  ['TLS on Express', { adapter: 'express', http: { https } }],
  ['TLS on Fastify', { adapter: 'fastify', http: { https } }],
  ['HTTP/2 on Fastify', { adapter: 'fastify', http: { https, http2: true } }],
] as const;

describe.each(TRANSPORTS)('over %s', (title, options) => {
  const isHttp2 = title.startsWith('HTTP/2');

  // feature: 82
  // fault: 30
  it('a stream arrives and ends in full', async () => {
    const app = await serve(Streams, options);
    const stream = app.open('/finite');
    const { status, headers } = await responded(stream);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream');
    // As this client says it; HTTP/2 forbids the header.
    expect(headers.connection).toBe(isHttp2 ? undefined : 'close');
    expect(await stream.ended).toMatch(/\n\ndata: one\n\ndata: ✓ two\n\n$/);
  });

  // feature: 82
  it('an event reaches a room, and a client that leaves is gone', async () => {
    const app = await serve(Streams, options);
    const connections = app.nest.get(Registry);
    const stream = app.open('/room');
    await stream.until(({ text }) => text.endsWith('\n\n'));
    const id = await app.nest.get(Broadcaster).publish('room', { data: 'x' });
    expect(await stream.next()).toEqual({ id, type: 'message', data: 'x' });
    const closed = connections.list()[0]?.closed;
    stream.close();
    expect(await closed).toBe('client');
    expect([connections.count, connections.isDraining]).toEqual([0, false]);
  });

  it('app.close() ends the stream, and is over when its client has the end', async () => {
    const app = await serve(Streams, { ...options, sse: { shutdown: { timeoutMs: 60_000 } } });
    const stream = app.open('/ticks');
    await stream.next();
    await app.nest.close();
    expect(await stream.ended).toContain('data: 0\nid: 0\n\n');
  });

  it('a stream that is closed just as its client breaks is gone', async () => {
    const app = await serve(Streams, { ...options, sse: { shutdown: { timeoutMs: 60_000 } } });
    await app.open('/ticks').next();
    const [connection] = app.nest.get(Registry).list();
    // Node tells it of HTTP/2 in the midst of `end()`, before the connection counts as ended.
    const raw = connection?.['response'].raw as ServerResponse & { stream?: Duplex };
    (raw.stream ?? raw).destroy();
    connection?.close();
    expect(connection?.state).toBe('closed');
    await app.nest.close();
  });

  it('HEAD and an early error answer without a stream', async () => {
    const app = await serve(Streams, options);
    const head = app.open('/ticks', { method: 'HEAD' });
    expect((await responded(head)).status).toBe(200);
    expect(await head.ended).toBe('');
    expect((await responded(app.open('/none'))).status).toBe(404);
  });
});

describe('a session of HTTP/2', () => {
  let openGate: (() => void) | undefined;

  @Controller()
  class Gated extends Streams {
    @SseStream('gated') async gated() {
      await new Promise<void>((resolve) => (openGate = resolve));
      return NEVER;
    }
  }

  const openSession = (app: TestApp): http2.ClientHttp2Session =>
    http2.connect(app.url, { rejectUnauthorized: false });
  const begin = async (session: http2.ClientHttp2Session, path: string) => {
    const stream = session.request({ ':path': path }).setEncoding('utf8');
    const first = once(stream, 'data') as Promise<[string]>;
    return { ended: once(stream, 'end'), text: (await first)[0] };
  };

  // feature: 70
  it('does not keep app.close() from its end, nor does one on which a client comes back', async () => {
    const app = await serve(Gated, {
      adapter: 'fastify',
      http: { https, http2: true },
      sse: { shutdown: { timeoutMs: 60_000 } },
    });
    const connections = app.nest.get(Registry);
    const sessions = [openSession(app), openSession(app)];
    const streams = await Promise.all(
      sessions.flatMap((session) => ['/ticks', '/room'].map((path) => begin(session, path))),
    );
    const slow = openSession(app);
    const opening = begin(slow, '/gated');
    await until('its handler works', () => openGate !== undefined);
    const gone = [...sessions, slow].map((session) => once(session, 'close'));
    const closing = app.nest.close();
    await until('no stream is open', () => connections.isDraining && connections.count === 0);
    const back = openSession(app);
    gone.push(once(back, 'close'));
    const refused = await begin(back, '/ticks');
    expect(refused.text).toMatch(/^retry: \d+\n\n$/);
    openGate?.();
    await Promise.all([closing, ...gone, opening]);
    await Promise.all(streams.map(({ ended }) => ended));
  });
});

describe.each(ADAPTERS)('on a bare socket (%s)', (adapter) => {
  const exchange = async (lines: string, isDone: (text: string) => boolean): Promise<string> => {
    const app = await serve(Streams, { adapter });
    const socket = net.connect(app.port, '127.0.0.1');
    let text = '';
    socket.write(lines);
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        text += String(chunk);
        if (isDone(text)) resolve();
      });
      socket.on('close', () => resolve());
    });
    socket.destroy();
    return text;
  };

  // feature: 24
  // fault: 12
  it('the bytes are the headers and then chunks, one write per turn', async () => {
    const text = await exchange('GET /finite HTTP/1.1\r\nHost: x\r\n\r\n', (all) =>
      all.endsWith('0\r\n\r\n'),
    );
    const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
    expect(head.split('\r\n')).toEqual(
      expect.arrayContaining([
        'HTTP/1.1 200 OK',
        'Content-Type: text/event-stream',
        'Cache-Control: no-cache, no-transform',
        'X-Accel-Buffering: no',
        'Connection: keep-alive',
      ]),
    );
    expect(body).toMatch(
      /^19\r\n: connected\nretry: \d{4}\n\n\r\n1a\r\ndata: one\n\ndata: ✓ two\n\n\r\n0\r\n\r\n$/,
    );
  });

  // feature: 11
  it('text is UTF-8 without a mark before it', async () => {
    const app = await serve(Streams, { adapter });
    const socket = net.connect(app.port, '127.0.0.1');
    socket.write('GET /unicode HTTP/1.0\r\n\r\n');
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    const all = Buffer.concat(parts);
    const bytes = all.subarray(all.indexOf('\r\n\r\n') + 4);
    expect(bytes.toString('latin1')).toMatch(/^: connected\n/);
    expect(bytes.toString('hex')).toContain(Buffer.from('data: ').toString('hex') + 'e29c93');
    const { ended, events } = app.open('/unicode');
    await ended;
    expect(events).toMatchObject([{ data: '✓' }, { data: '𝄞 🎉' }]);
  });

  it('a connection is used again for a request that waits behind a finite stream', async () => {
    const request = 'GET /finite HTTP/1.1\r\nHost: x\r\n\r\n';
    const text = await exchange(request + request, (all) => all.split('0\r\n\r\n').length === 3);
    expect(text.split('HTTP/1.1 200 OK')).toHaveLength(3);
    expect(text.split('data: ✓ two')).toHaveLength(3);
  });

  it('a client that says `Connection: close` gets it closed', async () => {
    const request = 'GET /finite HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const text = await exchange(request, () => false);
    expect(text).toContain('Connection: close\r\n');
    expect(text).not.toContain('keep-alive');
  });

  it('an HTTP/1.0 client gets a body that ends with the connection', async () => {
    const text = await exchange('GET /finite HTTP/1.0\r\nHost: x\r\n\r\n', () => false);
    expect(text).toMatch(/\r\n\r\n: connected\nretry: \d{4}\n\ndata: one\n\ndata: ✓ two\n\n$/);
    expect(text).not.toContain('keep-alive');
  });
});

describe.each(ADAPTERS)('behind a middleware that wraps the response (%s)', (adapter) => {
  it('every byte goes through its `write`, as without one it goes to the socket', async () => {
    const written: string[] = [];
    const app = await serve(Streams, {
      adapter,
      setup: (nest) =>
        nest.use((_request: unknown, response: ServerResponse, next: () => void) => {
          const write = response.write.bind(response);
          response.write = (chunk: Buffer) => {
            written.push(String(chunk));
            return write(chunk);
          };
          next();
        }),
    });
    const stream = app.open('/room');
    await stream.until(({ text }) => text.endsWith('\n\n'));
    for (const data of ['one', 'two']) {
      await app.nest.get(Broadcaster).publish('room', { data });
      await stream.next();
    }
    expect(written).toHaveLength(3);
    expect(written.join('')).toBe(stream.text);
  });
});

describe.each(ADAPTERS)('the eventsource package (%s)', (adapter) => {
  it('reads a stream, and returns with the last id after its socket was cut', async () => {
    const app = await serve(Streams, { adapter, sse: { retry: 1 } });
    const connections = app.nest.get(Registry);
    const source = new EventSource(`${app.url}/ticks`);
    const ids: string[] = [];
    const returned: (string | undefined)[] = [];
    connections.opened$.subscribe(({ lastEventId }) => returned.push(lastEventId));
    const seen = (count: number) =>
      new Promise<void>((resolve) => {
        source.addEventListener('message', (event) => {
          ids.push(event.lastEventId);
          if (ids.length === count) resolve();
        });
      });
    await seen(3);
    const last = ids.at(-1);
    const reopened = new Promise((resolve) => connections.opened$.subscribe(resolve));
    connections.list()[0]?.destroy('client');
    await reopened;
    source.close();
    expect(returned[0]).toBeUndefined();
    expect(Number(returned[1])).toBeGreaterThanOrEqual(Number(last));
  });
});
