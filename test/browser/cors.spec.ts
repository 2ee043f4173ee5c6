import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Headers, Module, type INestApplication } from '@nestjs/common';
import type { CorsOptions } from '@nestjs/common/interfaces/external/cors-options.interface.js';
import { NestFactory } from '@nestjs/core';
import { LastEventId, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import type { Browser } from 'playwright-core';
import { concat, NEVER, of } from 'rxjs';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';

@Controller()
class Streams {
  @Get() page(): string {
    return '<!doctype html>';
  }
  @SseStream('stream') stream(
    @Headers('cookie') cookie = 'no cookie',
    @LastEventId() lastEventId = 'no id',
  ) {
    return concat(of(`${cookie}, ${lastEventId}`), NEVER);
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [Streams] })
class AppModule {}

const apps: INestApplication[] = [];

/** On a port, and so an origin, of its own. */
async function serve(cors: CorsOptions | undefined) {
  const app = await NestFactory.create(AppModule, { logger: false });
  if (cors !== undefined) app.enableCors(cors);
  await app.listen(0, '127.0.0.1');
  apps.push(app);
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, connections: app.get(SseConnections) };
}

describeChromium('a page of another origin in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  afterAll(() => browser?.close());

  /** What the page's EventSource and its `fetch` with a last event ID get of the stream. */
  async function visit(cors: (pageOrigin: string) => CorsOptions | undefined) {
    const home = await serve(undefined);
    const api = await serve(cors(home.origin));
    const context = await browser.newContext();
    await context.addCookies([{ name: 'user', value: 'ada', url: api.origin }]);
    const page = await context.newPage();
    await page.goto(home.origin);
    const got = await page.evaluate(async (url) => {
      const source = new globalThis.EventSource(url, { withCredentials: true });
      const event = await new Promise<string>((resolve) => {
        source.addEventListener('message', ({ data }) => resolve(data as string));
        source.addEventListener('error', () => resolve(`refused, ${source.readyState}`));
      });
      source.close();
      const headers = { 'Last-Event-ID': '7' };
      const fetched = await fetch(url, { headers, credentials: 'include' }).then(
        async ({ body }) => {
          const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
          let text = '';
          while (!text.includes('data: ')) text += (await reader.read()).value;
          await reader.cancel();
          return /data: (.*)/.exec(text)?.[1];
        },
        () => 'refused',
      );
      return { event, fetched };
    }, `${api.origin}/stream`);
    await context.close();
    await until('the streams are gone', () => api.connections.count === 0);
    return got;
  }

  // fault: 20
  it('gets nothing unless the app says so', async () => {
    expect(await visit(() => undefined)).toEqual({ event: 'refused, 2', fetched: 'refused' });
  }, 30_000);

  // feature: 75
  it('gets the stream with its cookies, and may bring a last event ID, where the app says so', async () => {
    const cors = (origin: string): CorsOptions => ({
      origin: [origin],
      credentials: true,
      allowedHeaders: ['Last-Event-ID'],
    });
    expect(await visit(cors)).toEqual({ event: 'user=ada, no id', fetched: 'user=ada, 7' });
  }, 30_000);

  it('gets nothing with cookies from an app that says `*`', async () => {
    expect(await visit(() => ({ origin: '*' }))).toEqual({
      event: 'refused, 2',
      fetched: 'refused',
    });
  }, 30_000);
});
