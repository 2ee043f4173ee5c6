// What Chromium's own EventSource and the client do alike: what a network, a server and a protocol
// put them through.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Header } from '@nestjs/common';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { firstValueFrom, of } from 'rxjs';
import { Broadcaster, SseConnections, SseStream, type SseModuleOptions } from 'nestjs-eventstream';
import type { connect as Connect } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { serve, type ServeOptions } from '../support/serve.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { ClientFiles } from './client-module.js';

const CLIENTS = ['EventSource', 'connect()'] as const;
type ClientName = (typeof CLIENTS)[number];

const [key, cert] = ['key', 'cert'].map((name) =>
  readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url)),
) as [Buffer, Buffer];

/** How often the handler was called. */
let finiteCalls = 0;

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}
  @Get() @Header('content-type', 'text/html') page() {
    return '<!doctype html><title>A page</title><script>var heard = [];</script>';
  }
  @SseStream('stream') stream() {
    return this.hub.stream('main');
  }
  @SseStream('finite', { onComplete: 'close' }) finite() {
    finiteCalls++;
    return of({ type: 'n', data: 1 });
  }
}

interface PageGlobals {
  /** All that its streams told the page. */
  heard: string[];
}

describeChromium.each(CLIENTS)('%s in Chromium', (name) => {
  let browser: Browser;
  let context: BrowserContext | undefined;
  let proxy: TcpProxy | undefined;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await context?.close();
    await proxy?.close();
    context = proxy = undefined;
  });

  const start = async (sse: SseModuleOptions = {}, options: ServeOptions = {}) => {
    const app = await serve([Site, ClientFiles], { sse: { retry: 20, ...sse }, ...options });
    return { ...app, hub: app.nest.get(Broadcaster), connections: app.nest.get(SseConnections) };
  };

  const visit = async (url: string): Promise<Page> => {
    context ??= await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  const heardBy = (page: Page): Promise<string[]> =>
    page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).heard);
  const hears = async (page: Page, count: number): Promise<string[]> => {
    await until(`${count} things are heard`, async () => (await heardBy(page)).length >= count);
    return heardBy(page);
  };

  describe('over HTTP/1.1', () => {
    it('opens six streams in all tabs together, and the seventh when one of them is closed', async () => {
      const { url, connections } = await start();
      let most = 0;
      const counting = connections.opened$.subscribe(() => {
        most = Math.max(most, connections.count);
      });
      const [first, second] = [await visit(url), await visit(url)];
      await listen(name, first, '/stream', 5);
      await until('five', () => connections.count === 5);
      await listen(name, second, '/stream', 2);
      await until('six', () => connections.count === 6);
      // Whatever else the page asks for waits behind the seventh.
      const load = second.evaluate(() => fetch('/').then(({ status }) => status));
      const opened = firstValueFrom(connections.opened$);
      connections.list()[0]?.close();
      await opened;
      await first.close();
      expect(await load).toBe(200);
      await until('both of the other', () => connections.count === 2);
      expect(most).toBe(6);
      counting.unsubscribe();
    }, 30_000);
  });

  describe('over HTTP/2', () => {
    it('opens twenty streams, and loads pages beside them', async () => {
      const http = { https: { key, cert }, http2: true } as const;
      const { url, connections, hub } = await start({}, { adapter: 'fastify', http });
      const page = await visit(url);
      await listen(name, page, '/stream', 20);
      await until('all are open', () => connections.count === 20);
      const versions = connections
        .list()
        .map(({ request }) => (request as { raw: { httpVersion: string } }).raw.httpVersion);
      expect(new Set(versions)).toEqual(new Set(['2.0']));
      expect(await page.evaluate(() => fetch('/').then(({ status }) => status))).toBe(200);
      await hub.to('main').emit('n', 1);
      expect(await hears(page, 20)).toEqual(Array.from({ length: 20 }, () => '1'));
    }, 30_000);
  });

  it('misses nothing while the page is offline', async () => {
    const { url, hub, connections } = await start();
    const page = await visit(url);
    await listen(name, page, '/stream');
    await until('it is there', () => connections.count === 1);
    await hub.to('main').emit('n', 1);
    expect(await hears(page, 1)).toEqual(['1']);
    await context?.setOffline(true);
    connections.closeAll();
    await until('it is away', () => connections.count === 0);
    await hub.to('main').emit('n', 2);
    await context?.setOffline(false);
    expect(await hears(page, 2)).toEqual(['1', '2']);
  }, 30_000);

  it('is told of the gap after a restart of a server that keeps its events in memory', async () => {
    const before = await start();
    proxy = await startProxy(before.port);
    const page = await visit(`http://127.0.0.1:${proxy.port}`);
    await listen(name, page, '/stream');
    await until('it is there', () => before.connections.count === 1);
    await before.hub.to('main').emit('n', 1);
    expect(await hears(page, 1)).toEqual(['1']);
    await before.close();
    const after = await start();
    proxy.target = after.port;
    expect(await hears(page, 2)).toEqual(['1', 'gap, epoch']);
    await after.hub.to('main').emit('n', 2);
    expect(await hears(page, 3)).toEqual(['1', 'gap, epoch', '2']);
  }, 30_000);

  it('does not come back to a stream that is complete', async () => {
    const { url, connections } = await start();
    const page = await visit(url);
    finiteCalls = 0;
    const statuses: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/finite')) statuses.push(response.status());
    });
    await listen(name, page, '/finite');
    expect(await hears(page, 2)).toEqual(['1', 'over']);
    // An EventSource has to ask to hear it; the client reads it from the stream.
    expect(statuses).toEqual(name === 'EventSource' ? [200, 204] : [200]);
    await until('no stream is open', () => connections.count === 0);
    expect(finiteCalls).toBe(1);
  }, 30_000);

  describeRedis('with the log on Redis', () => {
    it('misses nothing in a restart of the server', async () => {
      const redis = await startRedis();
      const sse = { log: redisEventLog({ url: redis.url }) };
      const before = await start(sse);
      const publisher = await start(sse);
      proxy = await startProxy(before.port);
      const page = await visit(`http://127.0.0.1:${proxy.port}`);
      await listen(name, page, '/stream');
      await until('it is there', () => before.connections.count === 1);
      await publisher.hub.to('main').emit('n', 1);
      expect(await hears(page, 1)).toEqual(['1']);
      await before.close();
      await publisher.hub.to('main').emit('n', 2);
      const after = await start(sse);
      proxy.target = after.port;
      await until('it is back', () => after.connections.count === 1);
      await publisher.hub.to('main').emit('n', 3);
      expect(await hears(page, 3)).toEqual(['1', '2', '3']);
      await Promise.all([after.close(), publisher.close()]);
      await redis.stop();
    }, 30_000);
  });
});

/** Opens so many streams in the page; it notes what they bring. */
function listen(name: ClientName, page: Page, path: string, count = 1): Promise<void> {
  return page.evaluate(
    async ([isEventSource, url, streams]) => {
      const { heard } = globalThis as typeof globalThis & PageGlobals;
      if (isEventSource) {
        for (let n = 0; n < streams; n++) {
          const source = new EventSource(url);
          source.addEventListener('n', ({ data }) => heard.push(data as string));
          source.addEventListener('sse-gap', ({ data }) => {
            heard.push(`gap, ${(JSON.parse(data as string) as { reason: string }).reason}`);
          });
          source.addEventListener('error', () => {
            if (source.readyState === EventSource.CLOSED) heard.push('over');
          });
        }
        return;
      }
      const entry: string = '/lib/client/index.js';
      const { connect } = (await import(entry)) as { connect: typeof Connect };
      for (let n = 0; n < streams; n++) {
        const stream = connect<{ n: number }>(url);
        stream.on('n', ({ data }) => heard.push(String(data)));
        stream.on('sse-gap', ({ data }) => heard.push(`gap, ${data.reason}`));
        void stream.closed.then(() => heard.push('over'));
      }
    },
    [name === 'EventSource', path, count] as const,
  );
}
