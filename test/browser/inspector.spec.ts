import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  Controller,
  Module,
  Param,
  Query,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  Broadcaster,
  Connection,
  InjectBroadcaster,
  SseConnections,
  SseModule,
  SseStream,
  type SseConnection,
} from 'nestjs-eventstream';
import { SseInspectorModule } from 'nestjs-eventstream/inspector';
import type { Browser, Page } from 'playwright-core';
import { responded, streamClient, type TestStream } from '../support/stream-client.js';
import { describeChromium, launchChromium } from './chromium.js';

/** As text it is harmless. */
const HOSTILE = '<img src=x onerror=alert(1)>';

class CookieGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { cookie?: string } }>();
    return headers.cookie === 'user=admin';
  }
}

class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context
      .switchToHttp()
      .getRequest<{ headers: { authorization?: string } }>();
    return headers.authorization === 'Bearer secret';
  }
}

@Controller('streams')
class Streams {
  constructor(
    readonly broadcaster: Broadcaster,
    @InjectBroadcaster('chat') readonly chat: Broadcaster,
  ) {}
  @SseStream('chat/:room') chatRoom(@Param('room') room: string) {
    return this.chat.stream(room);
  }
  @SseStream(':rooms') rooms(
    @Param('rooms') rooms: string,
    @Query('user') user: string | undefined,
    @Connection() { data }: SseConnection,
  ) {
    if (user !== undefined) data['user'] = user;
    return this.broadcaster.stream(rooms.split(','));
  }
}

@Module({
  imports: [
    SseModule.forRoot({ retry: 200 }),
    SseModule.forFeature([{ name: 'chat' }]),
    SseInspectorModule.forRoot({ guard: CookieGuard }),
    SseInspectorModule.forRoot({ guard: TokenGuard, path: 'with-token', signIn: 'bearer' }),
  ],
  controllers: [Streams],
})
class InspectedModule {}

describeChromium('the inspector in a browser', () => {
  let browser: Browser;
  let app: NestExpressApplication;
  let url: string;
  let page: Page;
  let complaints: string[];
  let clients: TestStream[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    app = await NestFactory.create<NestExpressApplication>(InspectedModule, {
      logger: ['error'],
    });
    // The page is found behind a prefix, too.
    app.setGlobalPrefix('api');
    await app.listen(0, 'localhost');
    url = `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}`;
    page = await browser.newPage();
    await page.context().addCookies([{ name: 'user', value: 'admin', url }]);
    complaints = [];
    clients = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) {
        complaints.push(`elsewhere: ${request.url()}`);
      }
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
  });

  afterEach(async () => {
    await page.context().close();
    for (const client of clients) client.close();
    await app.close();
  });

  const open = async (rooms: string, headers: Record<string, string> = {}) => {
    const client = streamClient({
      url: `${url}/api/streams/${rooms.split('/').map(encodeURIComponent).join('/')}`,
      headers: { 'user-agent': 'test/1', ...headers },
    });
    clients.push(client);
    await responded(client);
    return client;
  };
  const visit = async (path = '/api/sse-inspector') => {
    await page.goto(url + path);
    await page.locator('#state', { hasText: /^Live$/ }).waitFor();
    await page.locator('#process', { hasText: `Process ${process.pid}` }).waitFor();
  };
  const row = (text: string) => page.locator('tbody tr', { hasText: text });
  const tile = (title: string) => page.locator('.tiles > div', { hasText: title });

  // fault: 22
  it.each(['/api/sse-inspector', '/api/sse-inspector/'])(
    'shows live what goes on, also what looks like HTML, at %s',
    async (path) => {
      await visit(path);
      const { broadcaster, chat } = app.get(Streams);
      const [reader, chatter] = [await open('orders,prices'), await open('chat/lobby')];
      await open(HOSTILE, { 'user-agent': HOSTILE, 'last-event-id': HOSTILE });
      await broadcaster.to('orders').emit('created', { no: 1 });
      await chat.to('lobby').emit('said', 'hello');
      await Promise.all([reader.next(), chatter.next()]);

      await tile('Connections').locator('.figure', { hasText: /^3$/ }).waitFor();
      await row('orders, prices').locator('[data-field=events]', { hasText: /^1$/ }).waitFor();
      await page
        .locator('#rooms tr', { hasText: 'hub chat' })
        .filter({ hasText: 'lobby' })
        .waitFor();
      await page.locator('#rooms tr', { hasText: HOSTILE }).waitFor();
      await page.locator('#notes li', { hasText: `unknown: ${HOSTILE}` }).waitFor();
      await page.locator('#counts dt', { hasText: 'Gap: unknown' }).waitFor();
      expect(await page.locator('tr[data-inspector] .tag').isVisible()).toBe(true);
      expect(await page.locator('tr:not([data-inspector]) .tag:visible').count()).toBe(0);

      await broadcaster.to('orders').emit('created', { no: 2 });
      await row('orders, prices').locator('[data-field=events]', { hasText: /^2$/ }).waitFor();
      await tile('Published here').locator('.detail', { hasText: '3 events' }).waitFor();
      expect(await page.locator('img').count()).toBe(0);
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  it('closes a connection and, once it is sure, a room', async () => {
    const reader = await open('orders');
    const [one, other] = [await open('prices'), await open('prices,news')];
    await visit();
    const close = (where: string) => page.getByRole('button', { name: where });
    const connections = app.get(SseConnections);
    const { id } = connections.list()[0]!;
    await close(`Close connection ${id.slice(0, 8)}`).click();
    await reader.ended;
    await page.locator('#said', { hasText: `Closed connection ${id.slice(0, 8)}` }).waitFor();
    await page.mouse.move(0, 0);
    await tile('Connections').locator('.figure', { hasText: /^2$/ }).waitFor();
    await page.locator('#counts dt', { hasText: 'Closed: inspector' }).waitFor();

    await close('Close room prices').click();
    await page.getByRole('dialog', { name: 'Close prices?' }).waitFor();
    await close('Cancel').click();
    expect(connections.count).toBe(3);
    await close('Close room prices').click();
    await close('Close the room').click();
    await Promise.all([one.ended, other.ended]);
    await page.locator('#said', { hasText: 'Closed room prices' }).waitFor();
    expect(connections.count).toBe(1);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('leaves rows where they are while the pointer is on them', async () => {
    const readers = [await open('a'), await open('b')];
    await visit();
    const { broadcaster } = app.get(Streams);
    const paths = () => page.locator('#connections [data-field=path]').allTextContents();
    const rowOf = (path: string) => page.locator('#connections tbody tr', { hasText: path });
    await broadcaster.to('a').emit('x', 1);
    await rowOf('streams/a').locator('[data-field=events]', { hasText: /^1$/ }).waitFor();
    await rowOf('streams/a').hover();
    const before = await paths();
    for (let n = 0; n < 50; n++) await broadcaster.to('b').emit('x', n);
    await open('c');
    readers[0]?.close();
    await rowOf('streams/b').locator('[data-field=events]', { hasText: /^50$/ }).waitFor();
    await page.locator('tr[data-gone]', { hasText: 'streams/a' }).waitFor();
    expect(await paths()).toEqual(before);
    await page.mouse.move(0, 0);
    await rowOf('streams/c').waitFor();
    expect((await paths())[0]).toBe('/api/streams/b');
    expect(await rowOf('streams/a').count()).toBe(0);
    expect(complaints).toEqual([]);
  }, 30_000);

  it.each([1440, 390])(
    'fits a window of %i px, in light and dark',
    async (width) => {
      await page.setViewportSize({ width, height: width > 1000 ? 900 : 844 });
      const long = 'a-room-with-a-name-that-does-not-end-'.repeat(6);
      await open(`${long},${long.toUpperCase()}`, { 'user-agent': long, 'last-event-id': 'x' });
      await visit();
      await row(long).first().waitFor();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const size = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(size).toBe(width);
      }
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll('.scroll')].map((one) => one.scrollWidth - one.clientWidth),
      );
      expect(cut).toEqual([0, 0, 0, 0]);
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  it('says why the server refuses it, and tries again', async () => {
    await visit();
    const left = new Promise((resolve) => app.get(SseConnections).closed$.subscribe(resolve));
    await page.context().clearCookies();
    app.get(SseConnections).closeAll();
    await left;
    await page.getByRole('alert').filter({ hasText: 'The server refuses: 403' }).waitFor();
    await page.context().addCookies([{ name: 'user', value: 'admin', url }]);
    await page.getByRole('button', { name: 'Connect again' }).click();
    await page.locator('#state', { hasText: /^Live$/ }).waitFor();
    expect(await page.getByRole('alert').first().isVisible()).toBe(false);
  }, 30_000);
});
