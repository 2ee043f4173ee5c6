// The client's own files, as they are, in a real browser.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  Injectable,
  Module,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import type { connect as Connect, EventStream } from 'nestjs-eventstream/client';
import { mockSseServer } from 'nestjs-eventstream/testing';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { ClientFiles } from './client-module.js';

interface PageGlobals {
  connect: typeof Connect;
  stream: EventStream;
  /** The data of all events. */
  got: unknown[];
  states: string[];
  token: string;
}

/** Tokens that have not expired. */
const tokens = new Set<string>();
let retryMs = 20;

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
    if (tokens.has(headers.authorization?.replace('Bearer ', '') ?? '')) return true;
    throw new UnauthorizedException('the token has expired');
  }
}

@Controller()
class Site {
  constructor(readonly hub: Broadcaster) {}
  @Get() @Header('content-type', 'text/html') page() {
    return `<!doctype html><title>A page</title><script type="module">
      import { connect } from '/lib/client/index.js';
      Object.assign(globalThis, { connect, got: [], states: [] });
    </script>`;
  }
  @SseStream('stream') stream() {
    return this.hub.stream('main');
  }
  @SseStream('guarded') @UseGuards(TokenGuard) guarded() {
    return this.hub.stream('main');
  }
}

describeChromium('the client in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let app: INestApplication;
  let hub: Broadcaster;
  let connections: SseConnections;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await context.close();
    await app.close();
  });

  const start = async (): Promise<void> => {
    class AppModule {}
    Module({ imports: [SseModule.forRoot({ retry: retryMs })], controllers: [Site, ClientFiles] })(
      AppModule,
    );
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    hub = app.get(Broadcaster);
    connections = app.get(SseConnections);
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(await app.getUrl());
  };
  const emit = (n: number): Promise<string> => hub.to('main').emit('n', n);
  const isOpen = (): Promise<void> => until('a connection', () => connections.count === 1);
  const got = (): Promise<unknown[]> =>
    page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).got);
  const gotAll = (count: number): Promise<void> =>
    until(`${count} events`, async () => (await got()).length >= count);
  const openStream = async (path: string): Promise<void> => {
    await page.evaluate((url) => {
      const to = globalThis as typeof globalThis & PageGlobals;
      const headers = () => ({ authorization: `Bearer ${to.token}` });
      to.stream = to.connect(url, { persist: sessionStorage, headers });
      to.stream.subscribe(({ data }) => to.got.push(data));
      to.stream.onState((state) => to.states.push(state));
    }, path);
    await isOpen();
  };

  // feature: 96
  it('goes on where it stopped when the page is loaded again', async () => {
    await start();
    await openStream('/stream');
    await emit(1);
    await gotAll(1);
    await page.goto('about:blank');
    await until('the server sees it', () => connections.count === 0);
    await emit(2);
    await emit(3);
    await page.goto(await app.getUrl());
    await openStream('/stream');
    await emit(4);
    await gotAll(3);
    expect(await got()).toEqual([2, 3, 4]);
  }, 30_000);

  // feature: 93
  it('keeps the cursor of a page that is left before its turn is over', async () => {
    await start();
    await page.evaluate(() => {
      // A page that is left runs no timer any more, and this one never ran any.
      Object.assign(globalThis, { setTimeout: () => 0 });
    });
    await openStream('/stream');
    const id = await emit(1);
    await gotAll(1);
    const kept = (): Promise<string[]> => page.evaluate(() => Object.values(sessionStorage));
    expect(await kept()).toEqual([]);
    await page.reload();
    expect(await kept()).toEqual([expect.stringMatching(`^${id}(~|$)`)]);
  }, 30_000);

  it('tells a page that is left that it waits, behind its pagehide', async () => {
    await start();
    await openStream('/stream');
    await page.waitForFunction(
      () => (globalThis as typeof globalThis & PageGlobals).stream.state === 'open',
    );
    await page.evaluate(() => {
      const { stream } = globalThis as typeof globalThis & PageGlobals;
      const heard: string[] = [];
      const keep = (what: string): void => {
        heard.push(what);
        sessionStorage.setItem('heard', String(heard));
      };
      addEventListener('pagehide', () => keep('pagehide'));
      stream.onState(keep);
    });
    await page.reload();
    const heard = await page.evaluate(() => sessionStorage.getItem('heard'));
    expect(heard).toBe('pagehide,waiting');
  }, 30_000);

  it('comes back at once when there is a network again, and misses nothing', async () => {
    // Nobody would wait for so long.
    retryMs = 600_000;
    await start();
    retryMs = 20;
    await openStream('/stream');
    await emit(1);
    await gotAll(1);
    await context.setOffline(true);
    connections.closeAll();
    await page.waitForFunction(
      () => (globalThis as typeof globalThis & PageGlobals).stream.state === 'waiting',
    );
    await emit(2);
    await context.setOffline(false);
    await gotAll(2);
    expect(await got()).toEqual([1, 2]);
  }, 30_000);

  // feature: 93
  it('brings a new token when the old one has expired', async () => {
    await start();
    tokens.add('first');
    await page.evaluate(() => Object.assign(globalThis, { token: 'first' }));
    await openStream('/guarded');
    await emit(1);
    await gotAll(1);
    tokens.delete('first');
    tokens.add('second');
    await page.evaluate(() => Object.assign(globalThis, { token: 'second' }));
    connections.closeAll();
    await emit(2);
    await gotAll(2);
    expect(await got()).toEqual([1, 2]);
    tokens.clear();
    connections.closeAll();
    const end = await page.evaluate(async () => {
      const { reason, error } = await (globalThis as typeof globalThis & PageGlobals).stream.closed;
      return { reason, status: error?.status, message: error?.message };
    });
    expect(end).toMatchObject({ reason: 'error', status: 401 });
    expect(end.message).toContain('the token has expired');
  }, 30_000);

  it('reads a server for tests from another origin, comes back to it, and stays away after 204', async () => {
    await start();
    const server = await mockSseServer([
      { retry: 20 },
      { id: 'é1', data: 1 },
      { id: 'é2', data: 2 },
    ]);
    await context.addCookies([{ name: 'user', value: 'ada', url: await app.getUrl() }]);
    await page.evaluate((url) => {
      const to = globalThis as typeof globalThis & PageGlobals;
      const headers = { authorization: 'Bearer a' };
      to.stream = to.connect(url, { headers, credentials: 'include' });
      to.stream.subscribe(({ data }) => to.got.push(data));
      to.stream.onState((state, error) => to.states.push(`${state} ${error?.retryAfterMs ?? ''}`));
    }, server.url);
    await gotAll(2);
    server.refuse(503, { 'Retry-After': '1' });
    server.cut();
    await until('it is back', () => server.requests.length === 3);
    server.send({ id: 3, data: 3 });
    await gotAll(3);
    server.refuse(204);
    server.end();
    const { end, states } = await page.evaluate(async () => {
      const to = globalThis as typeof globalThis & PageGlobals;
      return { end: await to.stream.closed, states: to.states };
    });
    expect(end).toEqual({ reason: 'server' });
    expect(states).toContain('waiting 1000');
    expect(await got()).toEqual([1, 2, 3]);
    const asked = server.requests.map(({ method, headers }) => [method, headers['last-event-id']]);
    const second = Buffer.from('é2').toString('latin1');
    expect(asked).toEqual([
      ['GET', undefined],
      ['GET', second],
      ['GET', second],
      ['GET', '3'],
    ]);
    expect(server.requests[0]?.headers.cookie).toBe('user=ada');
    await server.close();
  }, 30_000);

  it('reports what a listener throws as uncaught, and goes on', async () => {
    await start();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.evaluate(() => {
      const to = globalThis as typeof globalThis & PageGlobals;
      to.stream = to.connect('/stream');
      to.stream.on('n', ({ data }) => {
        throw new Error(`a bad listener of ${String(data)}`);
      });
      to.stream.on('n', ({ data }) => to.got.push(data));
    });
    await isOpen();
    await emit(1);
    await emit(2);
    await gotAll(2);
    await until('both errors', () => errors.length === 2);
    expect(errors).toEqual(['a bad listener of 1', 'a bad listener of 2']);
    await page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).stream.close());
    await until('the server sees it', () => connections.count === 0);
  }, 30_000);
});
