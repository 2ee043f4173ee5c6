// A page per recipe, bundled as a user's build does it, beside the stream that it reads.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  Headers,
  Module,
  Param,
  Query,
  UnauthorizedException,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import { launchChromium } from '../browser/chromium.js';
import { until } from '../support/until.js';

const root = join(import.meta.dirname, '../..');

/** A script of `pages/`, with all that it imports. */
async function bundle(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, path)],
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
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'false',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    },
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}
  @Get('pages/:name') @Header('content-type', 'text/html') page(@Param('name') name: string) {
    return `<!doctype html><title>A page</title><div id="app"></div>
      <script type="module" src="/scripts/${name}.js"></script>`;
  }
  @Get('scripts/:name.js') @Header('content-type', 'text/javascript') script(
    @Param('name') name: string,
  ) {
    return bundle(`test/recipes/pages/${name}.ts`);
  }
  /** Not for those who have the cookie `refused`. */
  @SseStream('orders') orders(
    @Query('rooms') rooms = 'orders',
    @Headers('cookie') cookie: string | undefined,
  ) {
    if (cookie?.includes('refused')) throw new UnauthorizedException();
    return this.hub.stream(rooms.split(','));
  }
}

@Module({ imports: [SseModule.forRoot({ retry: 20 })], controllers: [Site] })
class AppModule {}

export interface Visit {
  readonly context: BrowserContext;
  readonly url: string;
  readonly connections: SseConnections;
  /** The last event ID of each connection, in the order in which they were opened. */
  readonly opened: (string | undefined)[];
  readonly open: () => Promise<Page>;
  readonly emit: (no: number, room?: string) => Promise<string>;
  /** That many connections are open. */
  readonly untilOpen: (count: number, timeoutMs?: number) => Promise<void>;
}

/**
 * Made in a suite: each call in a test starts an app, and a browser without cookies, workers or
 * storage.
 */
export function visitor(name: string): () => Promise<Visit> {
  let browser: Browser;
  let app: INestApplication;
  let context: BrowserContext;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await context.close();
    await app.close();
  });

  return async () => {
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    context = await browser.newContext();
    const url = await app.getUrl();
    const connections = app.get(SseConnections);
    const hub = app.get(Broadcaster);
    const opened: (string | undefined)[] = [];
    connections.opened$.subscribe(({ lastEventId }) => opened.push(lastEventId));
    return {
      context,
      url,
      connections,
      opened,
      open: async () => {
        const page = await context.newPage();
        await page.goto(`${url}/pages/${name}`);
        return page;
      },
      emit: (no, room = 'orders') => hub.to(room).emit('created', { no }),
      untilOpen: (count, timeoutMs) =>
        until(`${count} connections`, () => connections.count === count, timeoutMs),
    };
  };
}

/** The page says so. */
export function untilText(page: Page, text: string): Promise<void> {
  return until(`"${text}" on the page`, async () => (await page.textContent('#app')) === text);
}
