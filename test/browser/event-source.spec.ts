// What the guide says of a browser's own EventSource.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Header, Headers, UnauthorizedException } from '@nestjs/common';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { serve, type ServeOptions } from '../support/serve.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { Registry } from '../../lib/connection/registry.js';

interface PageGlobals {
  heard: string[];
  source: EventSource;
}

/** How many requests for a stream were refused. */
let refusals = 0;

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}
  @Get() @Header('content-type', 'text/html') page() {
    return '<!doctype html><title>A page</title>';
  }
  /** What is published after it was rendered and before it connects arrives. */
  @Get('rendered') @Header('content-type', 'text/html') async rendered() {
    const cursor = await this.hub.position();
    await this.hub.publish('main', { data: { no: 1 } });
    return `<!doctype html><title>${cursor}</title>`;
  }
  @SseStream('stream') stream(@Headers('cookie') cookie: string | undefined) {
    if (cookie?.includes('refused')) {
      refusals += 1;
      throw new UnauthorizedException();
    }
    return this.hub.stream('main');
  }
}

const tls = (file: string): Buffer =>
  readFileSync(join(import.meta.dirname, '../support/tls', file));
const https = { key: tls('key.pem'), cert: tls('cert.pem') };
const ON_HTTP_1: ServeOptions = { sse: { retry: 20 } };
const ON_HTTP_2: ServeOptions = { ...ON_HTTP_1, adapter: 'fastify', http: { https, http2: true } };

describeChromium('an EventSource in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(() => context.close());

  const visit = async (path: string, options = ON_HTTP_1) => {
    const app = await serve(Site, options);
    context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(app.url + path);
    const connections = app.nest.get(Registry);
    return { url: app.url, page, hub: app.nest.get(Broadcaster), connections };
  };
  const listen = (page: Page, url: string): Promise<void> =>
    page.evaluate((to) => {
      const heard: string[] = [];
      const source = new EventSource(to);
      // The guide speaks of this one.
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      source.onmessage = ({ data }) => heard.push(`message ${JSON.parse(data as string).no}`);
      source.addEventListener('created', ({ data }) => heard.push(`created ${data}`));
      source.addEventListener('open', () => heard.push(`open, ${source.readyState}`));
      source.addEventListener('error', () => heard.push(`error, ${source.readyState}`));
      Object.assign(globalThis, { heard, source });
    }, url);
  const hears = async (page: Page, count: number): Promise<string[]> => {
    const heard = () => page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).heard);
    await until(`${count} things are heard`, async () => (await heard()).length >= count);
    return heard();
  };

  // feature: 90
  it('gives events with a type to the listeners of the type, and only others to onmessage', async () => {
    const { page, hub, connections } = await visit('/');
    await listen(page, '/stream');
    await until('a connection', () => connections.count === 1);
    await hub.publish('main', { data: { no: 1 } });
    await hub.to('main').emit('created', { no: 2 });
    await hub.publish('main', { data: { no: 3 } });
    expect(await hears(page, 4)).toEqual(['open, 1', 'message 1', 'created {"no":2}', 'message 3']);
    await page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).source.close());
    await until('the server sees it', () => connections.count === 0);
  }, 30_000);

  // feature: 91
  it('is in state 0 after a destroyed socket, and opens again by itself', async () => {
    const { page, connections } = await visit('/');
    await listen(page, '/stream');
    await hears(page, 1);
    connections.list()[0]?.destroy('client');
    expect(await hears(page, 3)).toEqual(['open, 1', 'error, 0', 'open, 1']);
  }, 30_000);

  // feature: 91
  it('is in state 2 after a 401, and asks no more', async () => {
    const { page, url, connections } = await visit('/');
    await context.addCookies([{ name: 'refused', value: 'yes', url }]);
    refusals = 0;
    await listen(page, '/stream');
    expect(await hears(page, 1)).toEqual(['error, 2']);
    await context.clearCookies();
    await page.evaluate(() => Object.assign(globalThis, { next: new EventSource('/stream') }));
    await until('the next one', () => connections.count === 1);
    expect(refusals).toBe(1);
    expect(connections.count).toBe(1);
    expect(await hears(page, 1)).toEqual(['error, 2']);
  }, 30_000);

  it('goes on from the cursor that the server rendered into the page', async () => {
    const { page, hub } = await visit('/rendered');
    await listen(page, `/stream?lastEventId=${await page.title()}`);
    await hears(page, 2);
    await hub.publish('main', { data: { no: 2 } });
    expect(await hears(page, 3)).toEqual(['open, 1', 'message 1', 'message 2']);
  }, 30_000);

  const openSeven = (page: Page): Promise<void> =>
    page.evaluate(() => {
      const heard: string[] = [];
      const sources = Array.from({ length: 7 }, (_, n) => {
        const source = new EventSource(`/stream?n=${n}`);
        source.addEventListener('open', () => heard.push(`open ${n}`));
        return source;
      });
      Object.assign(globalThis, { heard, sources });
    });

  // feature: 98
  it('waits as the seventh on HTTP/1.1, until one of the six is closed', async () => {
    const { page, connections } = await visit('/');
    await openSeven(page);
    await hears(page, 6);
    const states = await page.evaluate(() =>
      (globalThis as typeof globalThis & { sources: EventSource[] }).sources.map(
        (s) => s.readyState,
      ),
    );
    expect(states.filter((state) => state === 0)).toHaveLength(1);
    expect(connections.count).toBe(6);
    await page.evaluate(() => {
      const { sources } = globalThis as typeof globalThis & { sources: EventSource[] };
      sources.find(({ readyState }) => readyState === EventSource.OPEN)?.close();
    });
    expect(await hears(page, 7)).toHaveLength(7);
  }, 30_000);

  // feature: 98
  it('opens as the seventh on HTTP/2', async () => {
    const { page, connections } = await visit('/', ON_HTTP_2);
    await openSeven(page);
    await hears(page, 7);
    expect(connections.count).toBe(7);
  }, 30_000);
});
