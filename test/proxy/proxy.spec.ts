import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Logger, Req } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { NEVER, of } from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import {
  AVAILABLE_PROXIES,
  describeProxy,
  documented,
  PROXIES,
  startProxyServer,
  stopAllProxies,
  type ProxyOptions,
} from '../support/proxy-servers.js';
import { openGzip } from '../support/gzip-client.js';
import { ADAPTERS, serve, type ServeOptions, type TestApp } from '../support/serve.js';
import { streamClient, type StreamRequest, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** A real silence of so many seconds, by command: longer than both proxies wait by default. */
const IDLE_S = Number(process.env['PROXY_IDLE'] ?? 0);
const describeIdle: typeof describe.skip = IDLE_S > 0 ? describe : describe.skip;

type ProxyName = (typeof PROXIES)[number];

const SETTINGS = {
  nginx: {
    bare: 'server { listen 80; location / { proxy_pass http://127.0.0.1:3000; } }',
    bareWithinMs: 100,
    impatient: { global: 'proxy_read_timeout 1s;' },
    compressing: { global: 'gzip on; gzip_types text/event-stream;' },
    encoding: 'gzip',
    cutOnHttp2: 'cut',
  },
  httpd: {
    bare: '<VirtualHost *:80>\nProxyPass / http://127.0.0.1:3000/\n</VirtualHost>',
    bareWithinMs: 100,
    impatient: { global: 'Timeout 1' },
    compressing: { global: 'AddOutputFilterByType DEFLATE text/event-stream' },
    encoding: 'gzip',
    cutOnHttp2: 'cut',
  },
  haproxy: {
    bare: 'listen web\n mode http\n bind :80\n server app 127.0.0.1:3000\n',
    // Without `http-no-delay` it waits for the acknowledgement of what it sent before.
    bareWithinMs: 1_000,
    impatient: { site: documented('haproxy').replaceAll(' 60s', ' 1s') },
    compressing: { global: 'defaults\n option http-no-delay\n compression algo gzip\n' },
    // It heeds `Cache-Control: no-transform`.
    encoding: null,
    // 2.6 makes an end of it, though not on HTTP/1.1.
    cutOnHttp2: expect.stringMatching('cut|end'),
  },
};

const CUT = AVAILABLE_PROXIES.map(() => 'cut');
const CUT_ON_HTTP2 = AVAILABLE_PROXIES.map((name) => SETTINGS[name].cutOnHttp2);

const PROTOCOLS = [
  ['HTTP/1.1', {}],
  ['HTTP/2', { http2: true }],
] as const;

const NUMBERS = Array.from({ length: 20 }, (_none, n) => n);

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('room') room() {
    return this.hub.stream('room');
  }
  @SseStream('kept', { keepAlive: { intervalMs: 250 } }) kept() {
    return NEVER;
  }
  @SseStream('silent', { keepAlive: false }) silent() {
    return NEVER;
  }
  @SseStream('address') address(@Req() { ip }: { ip: string }) {
    return of(ip);
  }
}

const children: ChildProcess[] = [];

afterEach(async () => {
  await stopAllProxies();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe.each(PROXIES)('%s', (name) => {
  const { bare, bareWithinMs, compressing, encoding } = SETTINGS[name];

  describeProxy(name)('in front of an app', () => {
    describe.each(PROTOCOLS)('with clients on %s', (protocol, request) => {
      // feature: 77, 78
      it('passes on each event before the next is sent', async () => {
        const { app, open } = await behind(name);
        const stream = await opened(open('/room', request));
        const { median, slowest } = await sendOneByOne(app, stream);
        print(`${name}, ${protocol}: the slowest event took`, slowest);
        expect(median).toBeLessThan(100);
        expect(stream.events.map(({ data }) => data)).toEqual(NUMBERS);
      });

      it('tells the app that a client has left', async () => {
        const { app, open } = await behind(name);
        const stream = await opened(open('/kept', request));
        const closed = app.nest.get(SseConnections).list()[0]?.closed;
        stream.close();
        expect(await closed).toBe('client');
      });

      it('tells the client that the app has ended the stream', async () => {
        const { app, open } = await behind(name);
        const stream = await opened(open('/room', request));
        await app.nest.close();
        expect(await stream.ended).toContain(': connected');
      });

      it('passes the last event ID on: a client that returns misses nothing', async () => {
        const { app, open } = await behind(name);
        const hub = app.nest.get(Broadcaster);
        const stream = await opened(open('/room', request));
        await hub.publish('room', { data: 0 });
        const { id = '' } = await stream.next();
        stream.close();
        for (const data of [1, 2]) await hub.publish('room', { data });
        const back = open('/room', { ...request, headers: { 'last-event-id': id } });
        await back.take(2);
        await hub.publish('room', { data: 3 });
        await back.next();
        expect(back.events.map(({ data }) => data)).toEqual([1, 2, 3]);
      });
    });

    // feature: 77, 78
    it('needs no setting to pass on each event', async () => {
      const { app, open } = await behind(name, { site: bare });
      const stream = await opened(open('/room'));
      const few = NUMBERS.slice(0, 5);
      const { median, slowest } = await sendOneByOne(app, stream, few);
      print(`${name}, nothing set: the slowest event took`, slowest);
      expect(median).toBeLessThan(bareWithinMs);
      expect(stream.events.map(({ data }) => data)).toEqual(few);
    });

    // feature: 81
    it('passes on each event when it compresses what it may', async () => {
      const { app, url } = await behind(name, { site: bare, ...compressing });
      // It decompresses what comes.
      const response = await fetch(`${url}/room`);
      expect(response.headers.get('content-encoding')).toBe(encoding);
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (const data of NUMBERS) {
        await app.nest.get(Broadcaster).publish('room', { data });
        while (!text.includes(`data: ${data}\nid: `)) text += (await reader.read()).value;
      }
      await reader.cancel();
    });

    // feature: 81
    it('passes on each event that the app has compressed, and compresses nothing again', async () => {
      const sse = { compression: true };
      const { app, url } = await behind(name, { site: bare, ...compressing, sse });
      const client = await openGzip({ url: `${url}/room` });
      expect(client.headers['content-encoding']).toBe('gzip');
      for (const data of NUMBERS) {
        await app.nest.get(Broadcaster).publish('room', { data });
        await client.until(`event ${data}`, (text) => text.includes(`data: ${data}\nid: `));
      }
      const [connection] = app.nest.get(SseConnections).list();
      connection!.close();
      expect(await client.ended).toBe(client.text);
    });

    it.each(ADAPTERS)('tells an app that trusts it whose request it is (%s)', async (adapter) => {
      const { open } = await behind(name, {
        adapter,
        ...(adapter === 'fastify'
          ? { http: { trustProxy: 'loopback' } as object }
          : { setup: (nest) => (nest as NestExpressApplication).set('trust proxy', 'loopback') }),
      });
      // As it comes from a proxy before this one, which is trusted as well.
      const headers = { 'x-forwarded-for': '203.0.113.7' };
      expect(await open('/address', { headers }).ended).toContain('data: 203.0.113.7\n\n');
    });

    // feature: 77, 78
    it('has the configuration that the guide shows', () => {
      const guide = new URL('../../docs/guide/proxies.md', import.meta.url);
      expect(readFileSync(guide, 'utf8')).toContain(`\n${documented(name)}\`\`\`\n`);
    });

    describeIdle(`with all defaults, for ${IDLE_S} s without an event`, () => {
      // feature: 41
      it(
        'leaves the stream open, and cuts one without keep-alives',
        async () => {
          const { app, open } = await behind(name);
          const began = performance.now();
          const silent = open('/silent');
          const cut = silent.closed.then(() => performance.now() - began);
          const stream = await opened(open('/room'));
          const keepAlives = Math.ceil(IDLE_S / 15);
          await stream.until(({ text }) => keepAlivesIn(text) >= keepAlives);
          await app.nest.get(Broadcaster).publish('room', { data: 'still there' });
          expect(await stream.next()).toMatchObject({ data: 'still there' });
          print(`${name}, the stream without keep-alives was cut after`, await cut);
        },
        (IDLE_S + 60) * 1_000,
      );
    });
  });
});

describe('all of them', () => {
  // feature: 41
  it('leave idle streams open while keep-alives come, and cut them without', async () => {
    const behindAll = AVAILABLE_PROXIES.map((name) => behind(name, SETTINGS[name].impatient));
    const proxies = await Promise.all(behindAll);
    const kept = PROTOCOLS.flatMap(([, request]) =>
      proxies.map(({ open }) => open('/kept', request)),
    );
    const silent = proxies.map(({ open }) => open('/silent'));
    const silentOnHttp2 = proxies.map(({ open }) => open('/silent', { http2: true }));
    expect(await outcomes(silent)).toEqual(CUT);
    expect(await outcomes(silentOnHttp2)).toEqual(CUT_ON_HTTP2);
    // These are one and a half seconds, and the proxies wait for one.
    for (const stream of kept) await stream.until(({ text }) => keepAlivesIn(text) >= 6);
  }, 20_000);

  // feature: 77
  it('cut the streams of an app that was killed', async () => {
    const { child, port } = await startChild();
    const openAll = (request: Omit<StreamRequest, 'url'>) =>
      Promise.all(
        AVAILABLE_PROXIES.map(async (name) => {
          const { url } = await startProxyServer(name, { appPort: port });
          return opened(streamClient({ ...request, url: `${url}/quiet` }));
        }),
      );
    const [streams, onHttp2] = [await openAll({}), await openAll({ http2: true })];
    child.kill('SIGKILL');
    expect(await outcomes(streams)).toEqual(CUT);
    expect(await outcomes(onHttp2)).toEqual(CUT_ON_HTTP2);
  }, 20_000);
});

describe('many streams on one HTTP/2 connection', () => {
  describe.each(['nginx', 'haproxy'] as const)('of %s', (name) => {
    describeProxy(name)('as it is set in the guide', () => {
      it('are open at the same time', async () => {
        const { app, url } = await behind(name);
        const { streams, session } = openOnOneConnection(url, 50);
        await Promise.all(streams.map((stream) => once(stream, 'data')));
        expect(app.nest.get(SseConnections).count).toBe(50);
        session.destroy();
      });
    });
  });

  describeProxy('httpd')('of httpd', () => {
    it('are six on a fresh connection: the seventh waits until one has left', async () => {
      const { app, url, open } = await behind('httpd');
      const connections = app.nest.get(SseConnections);
      const { streams, session } = openOnOneConnection(url, 7);
      await Promise.all(streams.slice(0, 6).map((stream) => once(stream, 'data')));
      const seventh = once(streams[6]!, 'data');
      await opened(open('/kept'));
      expect(connections.count).toBe(6 + 1);
      streams[0]?.close();
      await seventh;
      session.destroy();
    });
  });
});

describeProxy('nginx')('nginx that is set otherwise', () => {
  const site = SETTINGS.nginx.bare;

  it('holds events back without the header that forbids it', async () => {
    const sse = { headers: { 'X-Accel-Buffering': 'yes' } };
    const { app, open } = await behind('nginx', { site, sse });
    const stream = open('/room');
    await until('the stream is open', () => app.nest.get(SseConnections).count === 1);
    await app.nest.get(Broadcaster).publish('room', { data: 'held' });
    await open('/address').ended;
    expect(stream.text).toBe('');
    await app.nest.close();
    expect(await stream.ended).toMatch(/\ndata: held\nid: \S+\n\n/);
  });

  it('and holds events back makes the app warn, when a client of this library has waited twice', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const sse = { headers: { 'X-Accel-Buffering': 'yes' } };
    const { url } = await behind('nginx', { site, sse });
    const stream = connect(`${url}/room`, { stallTimeoutMs: 300, maxBackoffMs: 1 });
    await until('a warning', () => warn.mock.calls.length > 0);
    stream.close();
    expect(warn.mock.calls).toEqual([[expect.stringContaining('waited twice for a stream')]]);
    warn.mockRestore();
  });

  it('takes the death of an app for an end, on HTTP/1.0', async () => {
    const { child, port } = await startChild();
    const { url } = await startProxyServer('nginx', {
      appPort: port,
      site,
      global: 'proxy_http_version 1.0;',
    });
    const stream = await opened(streamClient({ url: `${url}/quiet` }));
    child.kill('SIGKILL');
    expect(await stream.ended).toContain(': connected');
  }, 20_000);
});

/** An app behind a proxy; `open` goes through it. */
async function behind(
  name: ProxyName,
  { site, global, ...options }: Omit<ProxyOptions, 'appPort'> & ServeOptions = {},
) {
  const app = await serve(Streams, options);
  const { url } = await startProxyServer(name, { appPort: app.port, site, global });
  const open = (path: string, request: Omit<StreamRequest, 'url'> = {}): TestStream =>
    streamClient({ ...request, url: url + path });
  return { app, url, open };
}

async function opened(stream: TestStream): Promise<TestStream> {
  await stream.until(({ text }) => text.endsWith('\n\n'));
  return stream;
}

function outcomes(streams: TestStream[]): Promise<string[]> {
  const outcome = ({ ended }: TestStream): Promise<string> =>
    ended.then(
      () => 'end',
      () => 'cut',
    );
  return Promise.all(streams.map(outcome));
}

const keepAlivesIn = (text: string): number => text.split(': keep-alive\n').length - 1;

/**
 * Each number is read before the next is sent. Resolves with the times for one, in milliseconds.
 */
async function sendOneByOne(
  app: TestApp,
  stream: TestStream,
  numbers = NUMBERS,
): Promise<{ median: number; slowest: number }> {
  const times: number[] = [];
  for (const data of numbers) {
    const began = performance.now();
    await app.nest.get(Broadcaster).publish('room', { data });
    await stream.next();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1] ?? 0, slowest: times.at(-1) ?? 0 };
}

function print(what: string, ms: number): void {
  process.stdout.write(`${what} ${ms.toFixed(1)} ms\n`);
}

function openOnOneConnection(url: string, count: number) {
  const session = http2.connect(url, { rejectUnauthorized: false });
  const streams = Array.from({ length: count }, () => session.request({ ':path': '/kept' }));
  return { session, streams };
}

/** An app in a process of its own. */
async function startChild(): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL('app.ts', import.meta.url), {
    execArgv: ['--import', new URL('../support/typescript.mjs', import.meta.url).href],
  });
  children.push(child);
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}
