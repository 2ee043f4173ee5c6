// The hooks in Chromium, in React's StrictMode, which mounts every component twice in development.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Header, Module, Query, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import { describeChromium, launchChromium } from '../browser/chromium.js';
import { until } from '../support/until.js';
import { Orders } from './components.js';
import type { Shown, ui as Ui } from './pages/page.js';

declare const ui: typeof Ui;

const root = join(import.meta.dirname, '../..');
let script = '';
/** How often the page has fetched it, and what it gets. */
let fetches = 0;
let count = 0;

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}
  @Get() @Header('content-type', 'text/html') page() {
    const html = renderToString(createElement(Orders, { url: '/orders', id: 'a' }));
    return `<!doctype html><title>A page</title><div id="app">${html}</div>
      <script type="module" src="/script.js"></script>`;
  }
  @Get('script.js') @Header('content-type', 'text/javascript') script() {
    return script;
  }
  @Get('count') count() {
    fetches += 1;
    return String(count);
  }
  @SseStream('orders') orders() {
    return this.hub.stream('orders');
  }
  /** With the name of a member, if it is one. */
  @SseStream('all') all(@Query('name') name = '') {
    const member = () => ({ id: name, data: { name } });
    const presence = { watch: true, graceMs: 0, ...(name && { member }) };
    return this.hub.stream(['prices', 'lobby'], { presence });
  }
}

@Module({ imports: [SseModule.forRoot({ retry: 20 })], controllers: [Site] })
class AppModule {}

describeChromium('the hooks for React', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let app: INestApplication;
  let hub: Broadcaster;
  let connections: SseConnections;
  /** The last event ID of each connection, in the order in which they were opened. */
  let opened: (string | undefined)[] = [];

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, 'pages/page.ts')],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      alias: Object.fromEntries(
        ['client', 'react', 'shared'].map((name) => [
          `nestjs-eventstream/${name}`,
          join(root, `lib/${name}/index.ts`),
        ]),
      ),
      define: { 'process.env.NODE_ENV': '"development"' },
      logLevel: 'error',
    });
    script = outputFiles[0]!.text;
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser?.close());
  afterEach(async () => {
    await context.close();
    await app.close();
  });

  const listen = async (port = 0): Promise<void> => {
    app = await NestFactory.create(AppModule, { logger: false, forceCloseConnections: true });
    await app.listen(port, '127.0.0.1');
    hub = app.get(Broadcaster);
    connections = app.get(SseConnections);
    connections.opened$.subscribe(({ lastEventId }) => opened.push(lastEventId));
  };
  const start = async (): Promise<void> => {
    opened = [];
    await listen();
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(await app.getUrl());
    await page.waitForFunction(() => 'ui' in globalThis);
  };
  const show = (...shown: Shown[]): Promise<void> => page.evaluate((all) => ui.show(...all), shown);
  const emit = (no: number): Promise<string> => hub.to('orders').emit('created', { no });
  const untilText = async (id: string, text: string): Promise<void> => {
    let found: string | null = null;
    const look = async (): Promise<boolean> => {
      found = await page.evaluate((of) => document.getElementById(of)?.textContent ?? null, id);
      return found === text;
    };
    await until(text, look, 5_000).catch(() => expect(found).toBe(text));
  };
  const untilOpen = (number: number): Promise<void> =>
    until(`${number} connections`, () => connections.count === number);

  const a: Shown = { id: 'a', part: 'orders', url: '/orders' };
  const b: Shown = { id: 'b', part: 'orders', url: '/orders' };

  // feature: 92
  it('have one connection for all components, which closes after the last of them', async () => {
    await start();
    await show(a, b);
    for (const id of ['a', 'b']) await untilText(id, 'open: ');
    const numbers = Array.from({ length: 100 }, (_, no) => no);
    for (const no of numbers) await emit(no);
    for (const id of ['a', 'b']) await untilText(id, `open: ${numbers.join(' ')}`);
    await until('one stream is open', () => connections.count === 1);
    await page.evaluate((shown) => ui.showAgain(shown), b);
    await untilText('b', 'open: ');
    await emit(7);
    await untilText('b', 'open: 7');
    expect(opened).toEqual([undefined]);
    await show();
    await untilOpen(0);
    expect(await page.evaluate(() => ui.complaints)).toEqual([]);
  }, 30_000);

  // feature: 92
  it('show the entries of a room and who is in it, also to a component that comes later', async () => {
    await start();
    await hub.state<Record<string, number>>('prices').set('A', 1);
    await show({ id: 'a', part: 'lobby', url: '/all?name=Ann' });
    await untilText('a', 'Ann');
    await show(
      { id: 'a', part: 'lobby', url: '/all?name=Ann' },
      { id: 'b', part: 'prices', url: '/all?name=Ann' },
      { id: 'c', part: 'lobby', url: '/all?name=Bob' },
    );
    for (const id of ['a', 'c']) await untilText(id, 'Ann Bob');
    await untilText('b', 'A=1');
    await hub.state<Record<string, number>>('prices').set('B', 2);
    await untilText('b', 'A=1 B=2');
    expect(opened).toEqual([undefined, undefined]);
    await hub.state<Record<string, number>>('prices').delete('A');
    await show({ id: 'b', part: 'prices', url: '/all?name=Ann' });
    await untilText('b', 'B=2');
    await untilOpen(1);
  }, 30_000);

  it('go on after a lost connection and after a restart, and say what is lost', async () => {
    await start();
    await show(a, { id: 'c', part: 'counted', url: '/orders' });
    await untilText('a', 'open: ');
    const cursor = await emit(1);
    await untilText('a', 'open: 1');
    await untilText('c', '1');
    connections.closeAll();
    await emit(2);
    await untilText('a', 'open: 1 2');
    await untilText('c', '2');
    // The client keeps what the ids before said of the rooms.
    expect(opened).toEqual([undefined, expect.stringMatching(`^${cursor}~r`)]);
    const port = Number(new URL(await app.getUrl()).port);
    await app.close();
    await untilText('a', 'waiting: 1 2');
    await listen(port);
    await untilText('a', 'open: 1 2 gap');
    await emit(3);
    await untilText('a', 'open: 1 2 gap 3');
  }, 30_000);

  it('tell a component that was hidden of what it missed', async () => {
    await start();
    await show(a, b);
    for (const id of ['a', 'b']) await untilText(id, 'open: ');
    await show({ ...a, isHidden: true }, b);
    await show(a, b);
    await emit(1);
    for (const id of ['a', 'b']) await untilText(id, 'open: 1');
    await show({ ...a, isHidden: true }, b);
    await emit(2);
    await untilText('b', 'open: 1 2');
    await show(a, b);
    await emit(3);
    await untilText('a', 'open: 1 gap 3');
    await untilText('b', 'open: 1 2 3');
    expect(opened).toEqual([undefined]);
  }, 30_000);

  // feature: 92
  it('hydrate what the server has rendered, and open nothing there', async () => {
    await start();
    expect(opened).toEqual([]);
    await untilText('a', 'connecting: ');
    await page.evaluate(() => ui.hydrate('/orders'));
    await untilText('a', 'open: ');
    await emit(1);
    await untilText('a', 'open: 1');
    expect(await page.evaluate(() => ui.complaints)).toEqual([]);
    expect(opened).toEqual([undefined]);
  }, 30_000);

  it('keep a query of TanStack Query up to date', async () => {
    [fetches, count] = [0, 1];
    await start();
    await show({ id: 'a', part: 'queries', url: '/orders' });
    await untilText('a', '1');
    await untilOpen(1);
    // Once by itself, and once because the stream has opened.
    await until('a second fetch', () => fetches === 2);
    count = 2;
    await emit(2);
    await untilText('a', '2');
    expect(fetches).toBe(3);
  }, 30_000);
});
