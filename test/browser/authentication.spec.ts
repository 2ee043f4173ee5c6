// How a page proves who it is, also when its stream comes back, and what it hears when there is no
// place for it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  ConsoleLogger,
  Controller,
  Get,
  Header,
  Module,
  Post,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type INestApplication,
  type LoggerService,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import {
  Broadcaster,
  SSE_CHANNELS,
  SseModule,
  SseStream,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import type { connect as Connect } from 'nestjs-eventstream/client';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { ClientFiles } from './client-module.js';
import { Registry } from '../../lib/connection/registry.js';

const TOKEN_MS = 1_000;
const RETRY_MS = 100;
/** The browser's clock and ours. */
const ROUNDING_MS = 5;

const sessions = new Set<string>();
/** When each expires. */
const tokens = new Map<string, number>();
const tickets = new Set<string>();
let issued = 0;

interface PageRequest extends IncomingMessage {
  readonly query: Record<string, string>;
}

const sessionOf = ({ headers }: PageRequest) => headers.cookie?.replace('session=', '') ?? '';
const expiryOf = ({ headers }: Pick<PageRequest, 'headers'>) =>
  tokens.get(headers.authorization?.replace('Bearer ', '') ?? '') ?? 0;
const ticketOf = ({ query }: PageRequest) => query['ticket'] ?? '';

/** Others get 401. */
const only = (mayEnter: (request: PageRequest) => boolean): CanActivate => ({
  canActivate(context) {
    if (mayEnter(context.switchToHttp().getRequest())) return true;
    throw new UnauthorizedException();
  },
});

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}

  @Get() @Header('content-type', 'text/html') page() {
    return '<!doctype html><title>A page</title><script>var heard = [];</script>';
  }
  @Post('sign-in') @Header('set-cookie', 'session=ada; HttpOnly; SameSite=Strict') signIn() {
    sessions.add('ada');
  }
  @Post('token') token() {
    const token = `token-${issued++}`;
    tokens.set(token, Date.now() + TOKEN_MS);
    return token;
  }

  @SseStream('anybody') anybody() {
    return this.hub.stream('news');
  }
  @SseStream('strict', { rejectWith: 'status' }) strict() {
    return this.hub.stream('news');
  }
  @UseGuards(only((request) => sessions.has(sessionOf(request))))
  @SseStream('by-cookie')
  byCookie() {
    return this.hub.stream('news');
  }
  @UseGuards(only((request) => expiryOf(request) > Date.now()))
  @SseStream('by-token')
  byToken() {
    return this.hub.stream('news', { authorize: ({ request }) => ({ until: expiryOf(request) }) });
  }
  @UseGuards(only((request) => tickets.has(ticketOf(request))))
  @SseStream('by-ticket')
  byTicket() {
    return this.hub.stream('news');
  }
  @UseGuards(only((request) => tickets.delete(ticketOf(request))))
  @SseStream('by-single-use-ticket')
  bySingleUseTicket() {
    return this.hub.stream('news');
  }
}

interface PageGlobals {
  /** All that its streams told the page. */
  heard: string[];
}

describeChromium('a page in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;
  let app: INestApplication;
  let hub: Broadcaster;
  let connections: Registry;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser?.close());
  afterEach(async () => {
    await context.close();
    await app.close();
    jest.restoreAllMocks();
    for (const known of [sessions, tokens, tickets]) known.clear();
  });

  const start = async (
    sse: SseModuleOptions = {},
    logger: LoggerService | false = false,
  ): Promise<void> => {
    class AppModule {}
    const imports = [SseModule.forRoot({ retry: RETRY_MS, ...sse })];
    Module({ imports, controllers: [Site, ClientFiles] })(AppModule);
    app = await NestFactory.create(AppModule, { logger });
    await app.listen(0, '127.0.0.1');
    hub = app.get(Broadcaster);
    connections = app.get(Registry);
    context = await browser.newContext();
  };

  const emit = (n: number): Promise<string> => hub.to('news').emit('news', n);

  /** Opens a page; `statuses` are what its streams were answered. */
  const visit = async () => {
    const page = await context.newPage();
    const statuses: number[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (/^\/(by-|anybody|strict)/.test(pathname)) statuses.push(response.status());
    });
    await page.goto(await app.getUrl());
    const heard = (): Promise<string[]> =>
      page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).heard);
    return {
      page,
      statuses,
      heard,
      hears: async (count: number): Promise<string[]> => {
        await until(`${count} things are heard`, async () => (await heard()).length >= count);
        return heard();
      },
    };
  };

  const listen = (page: Page, path: string): Promise<void> =>
    page.evaluate((url) => {
      const { heard } = globalThis as typeof globalThis & PageGlobals;
      const source = new EventSource(url);
      source.addEventListener('news', ({ data }) => heard.push(data as string));
      source.addEventListener('sse-gap', ({ data }) => heard.push(`gap ${data}`));
      source.addEventListener('error', () => heard.push(`error, ${source.readyState}`));
    }, path);

  /** `renews`: a new token for each attempt, and not the first one for all. */
  const connectWithToken = (page: Page, path: string, renews: boolean): Promise<void> =>
    page.evaluate(
      async ([url, isRenewed]) => {
        const { heard } = globalThis as typeof globalThis & PageGlobals;
        const entry: string = '/lib/client/index.js';
        const { connect } = (await import(entry)) as { connect: typeof Connect };
        const newToken = async () => (await fetch('/token', { method: 'POST' })).text();
        const first = await newToken();
        const stream = connect<{ news: number }>(url, {
          headers: async () => ({
            authorization: `Bearer ${isRenewed ? await newToken() : first}`,
          }),
        });
        stream.on('news', ({ data }) => heard.push(String(data)));
        stream.on('sse-gap', ({ data }) => heard.push(`gap ${data.reason}`));
        stream.on('sse-end', ({ data }) => heard.push(`end, ${data.reason}`));
        stream.onState((_state, error) => {
          if (error) heard.push(`refused, ${error.status}`);
        });
        void stream.closed.then(({ reason }) => heard.push(`closed, ${reason}`));
      },
      [path, renews] as const,
    );

  /** Destroys the socket of the only stream, and publishes while the page is away. */
  const cut = (missed: number): Promise<string> => {
    connections.list()[0]?.destroy('client');
    return emit(missed);
  };

  describe('with a cookie', () => {
    // feature: 73, 91
    it('goes on exactly where it was, and stays away when it was signed out', async () => {
      await start();
      const { page, statuses, hears } = await visit();
      await page.evaluate(() => fetch('/sign-in', { method: 'POST' }));
      await listen(page, '/by-cookie');
      await until('it is there', () => connections.count === 1);
      await emit(1);
      await hears(1);
      const back = firstValueFrom(connections.opened$);
      await cut(2);
      await back;
      await emit(3);
      expect(await hears(4)).toEqual(['1', 'error, 0', '2', '3']);

      sessions.clear();
      await cut(4);
      expect((await hears(6)).slice(4)).toEqual(['error, 0', 'error, 2']);
      expect(statuses).toEqual([200, 200, 401]);
    }, 30_000);

    // feature: 91
    it('that it does not have gets 401, and does not ask again', async () => {
      await start();
      const { page, statuses, hears } = await visit();
      await listen(page, '/by-cookie');
      expect(await hears(1)).toEqual(['error, 2']);
      expect(statuses).toEqual([401]);
    }, 30_000);
  });

  // The stream may end a tenth of the token's life early: with this pause it has expired when the
  // page comes back.
  const retry = TOKEN_MS / 5;

  describe('with a bearer token that expires in mid-stream', () => {
    // feature: 73
    it('goes on exactly where it was with a new one', async () => {
      await start({ retry });
      const { page, statuses, hears } = await visit();
      const over = firstValueFrom(connections.closed$);
      await connectWithToken(page, '/by-token', true);
      await until('it is there', () => connections.count === 1);
      await emit(1);
      expect((await over).reason).toBe('auth');
      await emit(2);
      expect(await hears(3)).toEqual(['1', 'end, auth', '2']);
      await emit(3);
      expect((await hears(4))[3]).toBe('3');
      expect(statuses.slice(0, 2)).toEqual([200, 200]);
    }, 30_000);

    // feature: 74
    it('is told of 401 without a new one, and does not ask again', async () => {
      await start({ retry });
      const { page, statuses, hears } = await visit();
      await connectWithToken(page, '/by-token', false);
      await until('it is there', () => connections.count === 1);
      await emit(1);
      expect(await hears(4)).toEqual(['1', 'end, auth', 'refused, 401', 'closed, error']);
      expect(statuses).toEqual([200, 401]);
    }, 30_000);
  });

  describe('with a ticket in the URL', () => {
    // feature: 73
    it('goes on exactly where it was, and no log line has the ticket', async () => {
      const lines: string[] = [];
      for (const out of [process.stdout, process.stderr]) {
        jest.spyOn(out, 'write').mockImplementation((text) => {
          lines.push(String(text));
          return true;
        });
      }
      await start({}, new ConsoleLogger({ json: true }));
      tickets.add('secret');
      const { page, statuses, heard, hears } = await visit();
      await listen(page, '/by-ticket?ticket=secret');
      await until('it is there', () => connections.count === 1);
      await emit(1);
      await hears(1);
      for (const n of [2, 3]) {
        const back = firstValueFrom(connections.opened$);
        await cut(n);
        await back;
        await hears(2 * n - 1);
      }
      expect(await heard()).toEqual(['1', 'error, 0', '2', 'error, 0', '3']);
      expect(statuses).toEqual([200, 200, 200]);
      const log = lines.join('');
      expect(log.match(/"event":"open"/g)).toHaveLength(3);
      expect(log).toContain('"route":"/by-ticket"');
      expect(log).not.toContain('secret');
    }, 30_000);

    // feature: 73
    it('that was good for one use only does not come back', async () => {
      await start();
      tickets.add('once');
      const { page, statuses, hears } = await visit();
      await listen(page, '/by-single-use-ticket?ticket=once');
      await until('it is there', () => connections.count === 1);
      await emit(1);
      await hears(1);
      await cut(2);
      expect(await hears(3)).toEqual(['1', 'error, 0', 'error, 2']);
      expect(statuses).toEqual([200, 401]);
    }, 30_000);
  });

  describe('for which there is no place', () => {
    /** When each refusal was, as `performance.now()`. */
    const refusals: number[] = [];
    const note = (): void => void refusals.push(performance.now());
    beforeAll(() => subscribe(SSE_CHANNELS.refuse, note));
    afterEach(() => void refusals.splice(0));
    afterAll(() => void unsubscribe(SSE_CHANNELS.refuse, note));

    // feature: 68
    // fault: 24
    it('comes back after `retry`, until there is one', async () => {
      await start({ limits: { maxConnections: 1 } });
      const first = await visit();
      await listen(first.page, '/anybody');
      await until('it is there', () => connections.count === 1);
      const second = await visit();
      await listen(second.page, '/anybody');
      await second.hears(2);
      const [one, two] = refusals;
      expect(two! - one!).toBeGreaterThan(RETRY_MS - ROUNDING_MS);

      const opened = firstValueFrom(connections.opened$);
      await first.page.close();
      await opened;
      await emit(1);
      await until('it hears', async () => (await second.heard()).at(-1) === '1');
      const refused = refusals.map(() => 'error, 0');
      expect(await second.heard()).toEqual([...refused, '1']);
      expect(second.statuses).toEqual([...refusals.map(() => 200), 200]);
    }, 30_000);

    // feature: 68
    it('gives up at a status, and with the client comes back after `Retry-After`', async () => {
      await start({ limits: { maxConnections: 1 } });
      const first = await visit();
      await listen(first.page, '/anybody');
      await until('it is there', () => connections.count === 1);
      const second = await visit();
      await listen(second.page, '/strict');
      expect(await second.hears(1)).toEqual(['error, 2']);
      const third = await visit();
      await connectWithToken(third.page, '/strict', false);
      expect(await third.hears(1)).toEqual(['refused, 503']);

      const opened = firstValueFrom(connections.opened$);
      await first.page.close();
      await opened;
      // `Retry-After` has whole seconds: 1.
      expect(performance.now() - refusals.at(-1)!).toBeGreaterThan(1_000 - ROUNDING_MS);
      await emit(1);
      await until('it hears', async () => (await third.heard()).at(-1) === '1');
      const refused = refusals.slice(1);
      expect(await third.heard()).toEqual([...refused.map(() => 'refused, 503'), '1']);
      expect(third.statuses).toEqual([...refused.map(() => 503), 200]);
      expect(await second.heard()).toEqual(['error, 2']);
      expect(second.statuses).toEqual([503]);
    }, 30_000);
  });
});
