// `useChat` of the AI SDK in Chromium, in React's StrictMode, with the SDK's own local model: a
// reload, a second tab and another process go on in mid-answer.
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Header } from '@nestjs/common';
import { build } from 'esbuild';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SseRunsModule } from 'nestjs-eventstream/runs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { describeChromium, launchChromium } from '../browser/chromium.js';
import { ChatController, Chats, textOf } from '../support/chat-app.js';
import type { ChatModel } from '../support/chat-model.js';
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

const describeHere = hasRedis ? describeChromium : describe.skip;
let script = '';

@Controller()
class Site {
  @Get() @Header('content-type', 'text/html') page() {
    return `<!doctype html><title>A chat</title><div id="app"></div>
      <script type="module" src="/script.js"></script>`;
  }
  @Get('script.js') @Header('content-type', 'text/javascript') script() {
    return script;
  }
}

describeHere('useChat', () => {
  let redis: RedisServer;
  let browser: Browser;
  let context: BrowserContext;
  let chats: Chats;
  let one: TestApp;
  let other: TestApp;
  let model: ChatModel;
  const id = 'the chat';

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, 'pages/chat.ts')],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"development"' },
      logLevel: 'error',
    });
    script = outputFiles[0]!.text;
    [browser, redis] = await Promise.all([launchChromium(), startRedis()]);
  }, 30_000);
  afterAll(() => Promise.all([browser?.close(), redis?.stop()]));

  beforeEach(async () => {
    chats = new Chats();
    model = chats.modelOf(id);
    const log = redisEventLog({ url: redis.url, prefix: randomUUID() });
    const start = (): Promise<TestApp> =>
      serve([Site, ChatController], {
        sse: { log },
        http: { forceCloseConnections: true },
        module: {
          imports: [SseRunsModule.forRoot()],
          providers: [{ provide: Chats, useValue: chats }],
        },
      });
    [one, other] = await Promise.all([start(), start()]);
    context = await browser.newContext();
  });
  afterEach(() => context.close());

  /** What a tab shows, and which requests it made. */
  const open = async (app: TestApp) => {
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      const request = `${response.request().method()} ${decodeURI(pathname)}`;
      if (pathname.startsWith('/api')) requests.push(`${request} ${response.status()}`);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${app.url}/?chat=${encodeURIComponent(id)}`);
    await page.locator('#status').waitFor();
    return { page, requests, complaints };
  };
  const said = (page: Page): Promise<string[]> => page.locator('p').allTextContents();
  const shows = async (page: Page, ...texts: string[]): Promise<void> => {
    let found: string[] = [];
    const look = async (): Promise<boolean> => {
      found = await said(page);
      return found.join('|') === texts.join('|');
    };
    await until(texts.join('|'), look, 10_000).catch(() => expect(found).toEqual(texts));
  };
  const status = (page: Page, text: string): Promise<void> =>
    page.locator('#status', { hasText: new RegExp(`^${text}$`) }).waitFor();
  const press = (page: Page, name: string): Promise<void> =>
    page.getByRole('button', { name }).click();

  it('shows the whole answer, and goes on after a reload with exactly what was missing', async () => {
    const { page, complaints } = await open(one);
    await press(page, 'Ask');
    await model.untilAsked();
    model.say('one ', 'two ');
    await shows(page, 'Hello?', 'one two ');
    // This tab is not reloaded.
    const { page: second } = await open(one);
    await shows(second, 'Hello?', 'one two ');
    await page.reload();
    model.say('three\n', '“four” ');
    await shows(page, 'Hello?', 'one two three\n“four” ');
    await page.reload();
    model.say('five');
    model.finish();
    for (const tab of [page, second]) {
      await status(tab, 'ready');
      await shows(tab, 'Hello?', 'one two three\n“four” five');
      expect(await tab.locator('#error').textContent()).toBe('');
    }
    // What was said is not said twice when it is both stored and still kept.
    await until('it is stored', () => chats.of(id).length === 2);
    await page.reload();
    await status(page, 'ready');
    await shows(page, 'Hello?', 'one two three\n“four” five');
    expect(model.asked).toBe(1);
    expect(complaints).toEqual([]);
  }, 60_000);

  it('goes on in a process that has not asked the model', async () => {
    const { page } = await open(one);
    await press(page, 'Ask');
    await model.untilAsked();
    model.say('one ');
    await shows(page, 'Hello?', 'one ');
    const { page: elsewhere, requests } = await open(other);
    await shows(elsewhere, 'Hello?', 'one ');
    model.say('two');
    model.finish();
    for (const tab of [page, elsewhere]) {
      await status(tab, 'ready');
      await shows(tab, 'Hello?', 'one two');
    }
    expect(requests).toContain(`GET /api/chat/${id}/stream 200`);
  }, 60_000);

  it('stops the model from any tab, and shows after a reload what was said', async () => {
    const { page } = await open(one);
    await press(page, 'Ask');
    await model.untilAsked();
    model.say('so ', 'far');
    await shows(page, 'Hello?', 'so far');
    const { page: second, requests } = await open(other);
    await shows(second, 'Hello?', 'so far');
    await press(second, 'Stop');
    for (const tab of [page, second]) await status(tab, 'ready');
    expect(model.aborted).toBe(1);
    expect(requests).toContain(`POST /api/chat/${id}/stop 201`);
    await until('it is stored', () => chats.of(id).length === 2);
    expect(chats.of(id).map(textOf)).toEqual(['Hello?', 'so far']);
    for (const tab of [page, second]) {
      await tab.reload();
      await status(tab, 'ready');
      await shows(tab, 'Hello?', 'so far');
    }
    // The chat goes on.
    await press(page, 'Ask');
    await model.untilAsked(2);
    model.say('again');
    model.finish();
    await status(page, 'ready');
    await shows(page, 'Hello?', 'so far', 'Hello?', 'again');
    await second.reload();
    await shows(second, 'Hello?', 'so far', 'Hello?', 'again');
  }, 60_000);

  it('has nothing to resume in a new chat, and says so to nobody', async () => {
    const { page, requests, complaints } = await open(one);
    await until('it has asked', () => requests.some((request) => request.endsWith('204')));
    await status(page, 'ready');
    expect(await page.locator('#error').textContent()).toBe('');
    expect(requests.filter((request) => !/ (200|204)$/.test(request))).toEqual([]);
    expect(complaints).toEqual([]);
  }, 60_000);

  it('tells of a connection that breaks, and of a model that fails', async () => {
    const { page } = await open(one);
    await press(page, 'Ask');
    await model.untilAsked();
    model.say('so far');
    const { page: elsewhere } = await open(other);
    await shows(elsewhere, 'Hello?', 'so far');
    await other.close();
    await status(elsewhere, 'error');
    model.break(new Error('secret'));
    await status(page, 'error');
    expect(await page.locator('#error').textContent()).toBe('Internal server error');
  }, 60_000);
});
