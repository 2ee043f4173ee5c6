// Where a redirect leads the client in a real browser, which hides from pages where redirects lead.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import {
  All,
  Controller,
  Get,
  Header,
  Module,
  Req,
  Res,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import type { connect as Connect, ConnectOptions } from 'nestjs-eventstream/client';
import { describeChromium, launchChromium } from './chromium.js';
import { ClientFiles } from './client-module.js';

/** What was asked, without the preflights: host, method, path and the secret. */
const asked: string[] = [];
/** Where `/away` and `/out` lead. */
let away = '';

function note(request: IncomingMessage): void {
  const { headers, method, url } = request;
  asked.push(`${headers.host} ${method} ${url}, ${String(headers['x-api-key'])}`);
}

function redirect(request: IncomingMessage, response: ServerResponse, to: string): void {
  note(request);
  response.writeHead(307, { location: to }).end();
}

@Controller()
class Site {
  @Get() @Header('content-type', 'text/html') page() {
    return `<!doctype html><script type="module">
      import { connect } from '/lib/client/index.js';
      Object.assign(globalThis, { connect });
    </script>`;
  }
  @All('stream') stream(@Req() request: IncomingMessage, @Res() response: ServerResponse) {
    note(request);
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: here\n\n');
  }
  @All('within') within(@Req() request: IncomingMessage, @Res() response: ServerResponse) {
    redirect(request, response, '/stream');
  }
  @All('away') away(@Req() request: IncomingMessage, @Res() response: ServerResponse) {
    redirect(request, response, `${away}/stream`);
  }
  @All('out') out(@Req() request: IncomingMessage, @Res() response: ServerResponse) {
    redirect(request, response, '/away');
  }
}

@Module({ controllers: [Site, ClientFiles] })
class AppModule {}

describeChromium('a redirect in Chromium', () => {
  let browser: Browser;
  let page: Page;
  let apps: INestApplication[] = [];
  let home: string;

  /** On a port, and so an origin, of its own; any other origin may ask. */
  const serve = async (): Promise<string> => {
    const app = await NestFactory.create(AppModule, { logger: false });
    app.enableCors();
    await app.listen(0, '127.0.0.1');
    apps.push(app);
    return `127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  };

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await page.close();
    await Promise.all(apps.map((app) => app.close()));
    apps = [];
  });

  /** What becomes of a stream that the page opens at `home`: its first data, or its end. */
  const open = async (
    path: string,
    options: Pick<ConnectOptions, 'redirect'> & { body?: string } = {},
    of: 'home' | 'other' = 'home',
  ): Promise<unknown> => {
    home = await serve();
    const other = await serve();
    away = `http://${of === 'home' ? other : home}`;
    asked.length = 0;
    page = await browser.newPage();
    await page.goto(`http://${home}`);
    await page.waitForFunction(() => 'connect' in globalThis);
    const outcome = await page.evaluate(
      async ([url, given]) => {
        const { connect } = globalThis as typeof globalThis & { connect: typeof Connect };
        const stream = connect(url, { ...given, headers: { 'x-api-key': 'secret' } });
        const data = new Promise((resolve) => {
          stream.on('message', (event) => {
            resolve(event.data);
            stream.close();
          });
        });
        const ended = stream.closed.then(({ error }) => error && [error.code, error.message]);
        return (await Promise.race([data, ended])) ?? (await data);
      },
      [of === 'home' ? path : `http://${other}${path}`, options] as const,
    );
    for (const [index, line] of asked.entries()) {
      asked[index] = line.replace(home, 'home').replace(other, 'other');
    }
    return outcome;
  };
  const REFUSED = [
    'SSE_REDIRECT',
    `the server redirects to another origin, which browsers hide: connect to that URL, or set redirect: 'follow' if it may get your headers`,
  ];

  it('within the origin of the page is followed', async () => {
    expect(await open('/within')).toBe('here');
    expect(asked).toEqual([
      'home GET /within, secret',
      'home GET /within, secret',
      'home GET /stream, secret',
    ]);
  }, 30_000);

  it('within the origin of the page takes a body along', async () => {
    expect(await open('/within', { body: 'a' })).toBe('here');
    expect(asked.at(-1)).toBe('home POST /stream, secret');
  }, 30_000);

  // feature: 93
  it.each(['/away', '/out'])(
    'of %s to another origin ends the stream',
    async (path) => {
      expect(await open(path)).toEqual(REFUSED);
      expect(asked.filter((line) => line.startsWith('other'))).toEqual([]);
    },
    30_000,
  );

  it.each(['/away', '/within'])(
    'of %s on another origin ends the stream',
    async (path) => {
      expect(await open(path, {}, 'other')).toEqual(REFUSED);
      expect(new Set(asked)).toEqual(new Set([`other GET ${path}, secret`]));
    },
    30_000,
  );

  it("of redirect: 'follow' leads wherever it leads", async () => {
    expect(await open('/away', { redirect: 'follow' })).toBe('here');
    expect(asked).toEqual(['home GET /away, secret', 'other GET /stream, secret']);
  }, 30_000);

  it("of redirect: 'error' ends the stream", async () => {
    expect(await open('/within', { redirect: 'error' })).toEqual([
      'SSE_REDIRECT',
      "the server redirects, and redirect is 'error'",
    ]);
    expect(asked).toEqual(['home GET /within, secret']);
  }, 30_000);
});
