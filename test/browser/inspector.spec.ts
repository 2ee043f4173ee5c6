import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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
import { Inspector } from '../../lib/inspector/inspector.js';
import type { LocalProcess } from '../../lib/inspector/local-process.js';
import type { Browser, Page } from 'playwright-core';
import { responded, streamClient, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { axeViolations } from './page-checks.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] };

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

  const open = async (rooms: string, headers: Record<string, string> = {}, user?: string) => {
    const query = user === undefined ? '' : `?user=${user}`;
    const client = streamClient({
      url: `${url}/api/streams/${rooms.split('/').map(encodeURIComponent).join('/')}${query}`,
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
      await row('orders, prices')
        .locator('[data-field=events]', { hasText: /^1 sent$/ })
        .waitFor();
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
      await row('orders, prices')
        .locator('[data-field=events]', { hasText: /^2 sent$/ })
        .waitFor();
      await tile('Published').locator('.detail', { hasText: '3 since' }).waitFor();
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
    await rowOf('streams/a')
      .locator('[data-field=events]', { hasText: /^1 sent$/ })
      .waitFor();
    await rowOf('streams/a').hover();
    const before = await paths();
    for (let n = 0; n < 50; n++) await broadcaster.to('b').emit('x', n);
    await open('c');
    readers[0]?.close();
    await rowOf('streams/b')
      .locator('[data-field=events]', { hasText: /^50 sent$/ })
      .waitFor();
    await page.locator('tr[data-gone]', { hasText: 'streams/a' }).waitFor();
    expect(await paths()).toEqual(before);
    await page.mouse.move(0, 0);
    await rowOf('streams/c').waitFor();
    expect((await paths())[0]).toBe('/api/streams/b');
    expect(await rowOf('streams/a').count()).toBe(0);
    expect(complaints).toEqual([]);
  }, 30_000);

  it.each([1920, 1280, 768, 390])(
    'fits a window of %i px, in light and dark',
    async (width) => {
      await page.setViewportSize({ width, height: width > 1000 ? 900 : 844 });
      await Promise.all(['lobby', 'kitchen', 'orders,prices'].map((rooms) => open(rooms)));
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
      // The last two are those of a room, which is closed.
      expect(cut).toEqual([0, 0, 0, 0, 0, 0]);
      for (const room of ['lobby', 'kitchen', 'orders, prices']) {
        const name = page.locator('#connections [data-field=rooms]', { hasText: room });
        expect(await name.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
        expect(await name.evaluate((one) => one.scrollHeight - one.clientHeight)).toBeLessThan(3);
      }
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

  it('finds connections and rooms, and shows all again', async () => {
    await Promise.all([open('orders', {}, 'ann'), open('kitchen', {}, 'ben')]);
    await visit();
    await row('ann').waitFor();
    const search = page.getByRole('searchbox', { name: 'Search connections and rooms' });
    await search.fill('BEN');
    await row('ann').waitFor({ state: 'detached' });
    await page.locator('#connections .note', { hasText: '2 and 1 inspector, 1 found' }).waitFor();
    expect(await row('ben').count()).toBe(1);
    await search.fill('orders');
    await row('ann').waitFor();
    await page.locator('#rooms tbody tr', { hasText: 'kitchen' }).waitFor({ state: 'detached' });
    await search.fill('');
    await row('ben').waitFor();
    await page.getByRole('button', { name: 'Slow only' }).click();
    await page.locator('#connections .empty', { hasText: 'No connection' }).waitFor();
    await page.getByRole('button', { name: 'Slow only' }).click();
    await row('ben').waitFor();
    expect(await page.locator('#state').textContent()).toBe('Live');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('revokes a user once it is sure', async () => {
    const [ann, ben] = [await open('orders', {}, 'ann'), await open('orders', {}, 'ben')];
    await visit();
    await row('ann')
      .getByRole('button', { name: /^Revoke user ann/ })
      .click();
    await page.getByRole('dialog', { name: 'Revoke user ann?' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(app.get(SseConnections).count).toBe(3);
    await row('ann')
      .getByRole('button', { name: /^Revoke/ })
      .click();
    await page.getByRole('button', { name: 'Revoke', exact: true }).click();
    expect(await ann.ended).toContain('event: sse-end');
    await page.locator('#said', { hasText: 'Revoked user ann' }).waitFor();
    ben.close();
    expect(complaints).toEqual([]);
  }, 30_000);

  it('shows the last events of a room as they come, and sends a test event', async () => {
    const { broadcaster } = app.get(Streams);
    await broadcaster.to('orders').emit('created', { html: HOSTILE });
    const reader = await open('orders');
    await visit();
    await page.getByRole('button', { name: 'Last events of orders' }).click();
    const dialog = page.getByRole('dialog', { name: 'orders' });
    const event = (text: string) => dialog.locator('li', { hasText: text });
    await event(HOSTILE).waitFor();
    await broadcaster.to('orders').emit('shipped', { no: 2 });
    await event('shipped').waitFor();
    await reader.next('shipped');

    await dialog.getByLabel('Type').fill('test');
    await dialog.getByLabel('Data').fill('{"no":3}');
    await dialog.getByRole('button', { name: 'Send…' }).click();
    await page.getByRole('dialog', { name: 'Send test to orders?' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await dialog.getByRole('button', { name: 'Send…' }).click();
    await page.getByRole('button', { name: 'Send the event' }).click();
    expect(await reader.next()).toMatchObject({ type: 'test', data: { no: 3 } });
    await event('{"no":3}').waitFor();

    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('#rooms tr', { hasText: 'orders' }).waitFor();
    const before = asked.length;
    await broadcaster.to('orders').emit('later', 4);
    await row('orders')
      .locator('[data-field=events]', { hasText: /^3 sent$/ })
      .waitFor();
    expect(asked).toHaveLength(before);
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('shows the entries of a room as they change, and no row moves', async () => {
    const { broadcaster } = app.get(Streams);
    const state = broadcaster.state('prices');
    await state.set('ACME', { bid: 41.9 });
    await state.set(HOSTILE, { html: HOSTILE, long: 'x'.repeat(3_000) });
    await open('prices');
    await visit();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const reads = () => asked.filter((path) => path.endsWith('/rooms/entries')).length;
    const looks = () => asked.filter((path) => path.endsWith('/rooms/events')).length;
    await page.getByRole('button', { name: 'Last events of prices' }).click();
    const dialog = page.getByRole('dialog', { name: 'prices' });
    const entries = dialog.getByRole('region', { name: 'Entries' });
    const entry = (key: string) => entries.locator('li', { hasText: key });
    const keys = () => entries.locator('b').allTextContents();
    await entry('41.9').waitFor();
    expect(await keys()).toEqual([HOSTILE, 'ACME']);
    await dialog.getByText(/^2, as of \d\d:\d\d:\d\d$/).waitFor();

    // An entry that changes keeps its row, and a new one moves none.
    await state.set('ACME', { bid: 42 });
    await entry('"bid":42').waitFor();
    await state.set('NEW', 1);
    await entry('NEW').waitFor();
    expect(await keys()).toEqual([HOSTILE, 'ACME', 'NEW']);

    // Without a change, looks read no entries.
    const [before, seen] = [reads(), looks()];
    await broadcaster.to('prices').emit('said', 'hello');
    await dialog.locator('li', { hasText: 'hello' }).waitFor();
    await until('two more looks', () => looks() > seen + 2);
    expect(reads()).toBe(before);

    // Whole values by keyboard.
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Last events of prices' }).press('Enter');
    await entry('NEW').waitFor();
    expect(await keys()).toEqual(['NEW', 'ACME', HOSTILE]);
    await entries.focus();
    for (let n = 0; n < 3; n++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const value = entry('html').locator('pre');
    await value.waitFor();
    expect(await value.textContent()).toMatch(/^\{"html":"<img .*xxx…$/);
    await page.keyboard.press('Tab');
    expect(await value.evaluate((one) => one === document.activeElement)).toBe(true);
    const height = () => entry('html').evaluate((one) => one.getBoundingClientRect().height);
    const large = await height();
    await state.set(HOSTILE, { html: 1 });
    await entry('"html":1').waitFor();
    expect(await height()).toBe(large);

    // Whoever reads an entry keeps it; the row of another one is used again.
    await state.delete(HOSTILE);
    await state.delete('ACME');
    await entries.locator('li[data-gone]').nth(1).waitFor();
    expect(await keys()).toEqual(['NEW', 'ACME', HOSTILE]);
    await state.set('OTHER', 2);
    await entry('OTHER').waitFor();
    expect(await keys()).toEqual(['NEW', 'OTHER', HOSTILE]);
    await state.set(HOSTILE, 3);
    await entries.locator('li[data-gone]').waitFor({ state: 'detached' });
    expect(await keys()).toEqual(['NEW', 'OTHER', HOSTILE]);
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
  }, 120_000);

  it('reads a large room after a change, but not every second', async () => {
    const { broadcaster } = app.get(Streams);
    const state = broadcaster.state('many');
    for (let no = 0; no < 1_001; no++) await state.set(`key ${no}`, no);
    await open('many');
    await visit();
    const times: number[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/rooms/entries')) times.push(performance.now());
    });
    await page.getByRole('button', { name: 'Last events of many' }).click();
    const dialog = page.getByRole('dialog', { name: 'many' });
    const entries = dialog.getByRole('region', { name: 'Entries' });
    await dialog.getByText('1,001, the 50 changed last are listed, as of').waitFor();
    expect(await entries.locator('li').count()).toBe(50);
    await state.set('key 0', 'new');
    await entries.locator('li', { hasText: '"new"' }).waitFor();
    // The row of the entry that is no longer one of the 50.
    expect(await entries.locator('li').count()).toBe(50);
    expect(times).toHaveLength(2);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(5_000);
    expect(complaints).toEqual([]);
  }, 30_000);

  it.each([390, 1280])(
    'fits the panel of a state room into %i px, and nothing shifts',
    async (width) => {
      await page.setViewportSize({ width, height: 844 });
      const state = app.get(Streams).broadcaster.state('prices');
      const long = 'a-key-that-does-not-end-'.repeat(9);
      for (let no = 0; no < 30; no++) await state.set(`${no} ${long}`, { no, long });
      await open('prices');
      await visit();
      await page.evaluate(AXE);
      await page.evaluate(() => {
        const shifts: number[] = [];
        Object.assign(window, { shifts });
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            shifts.push((entry as unknown as { value: number }).value);
          }
        }).observe({ type: 'layout-shift' });
      });
      await page.getByRole('button', { name: 'Last events of prices' }).click();
      const dialog = page.getByRole('dialog', { name: 'prices' });
      const entries = dialog.getByRole('region', { name: 'Entries' });
      await entries.locator('li').nth(29).waitFor();
      await state.set(`3 ${long}`, 'short');
      await state.delete(`4 ${long}`);
      await state.set('one more', { long });
      await entries.locator('li', { hasText: 'one more' }).waitFor();
      await state.delete(`5 ${long}`);
      await entries.locator('li[data-gone]').waitFor();
      const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
      expect(shifts).toEqual([]);
      const cut = await dialog.evaluate((one) =>
        [one, ...one.querySelectorAll('.scroll')].map((box) => box.scrollWidth - box.clientWidth),
      );
      expect(cut).toEqual([0, 0, 0]);
      // The newest event stays in view.
      const left = await dialog
        .getByRole('region', { name: 'Last events' })
        .evaluate((one) => one.scrollHeight - one.scrollTop - one.clientHeight);
      expect(left).toBeLessThan(2);
      await entries.locator('summary').first().click();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await page.evaluate(axeViolations, RULES)).toEqual([]);
      }
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  it('signs in by a token, which it keeps for this tab', async () => {
    await page.goto(`${url}/api/with-token`);
    const token = page.getByLabel('Token');
    const signIn = page.getByRole('button', { name: 'Sign in' });
    await token.fill('wrong');
    await signIn.click();
    await page
      .getByRole('alert')
      .filter({ hasText: 'The server refuses this token: 403' })
      .waitFor();
    expect(await page.locator('main').isVisible()).toBe(false);
    await token.fill('secret');
    await signIn.click();
    const live = () => page.locator('#state', { hasText: /^Live$/ }).waitFor();
    await live();
    const reader = await open('orders', {}, 'ann');
    await page.getByRole('button', { name: 'Close room orders' }).click();
    await page.getByRole('button', { name: 'Close the room' }).click();
    await reader.ended;
    await page.reload();
    await live();
    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(await token.isVisible()).toBe(true);
    await page.reload();
    await token.waitFor();
    // Chromium reports the answer to the wrong token.
    expect(complaints.filter((text) => !text.includes('403'))).toEqual([]);
  }, 30_000);

  it('begins its plots with what was before, and moves little', async () => {
    await page.addInitScript(() => {
      const shifts: number[] = [];
      Object.assign(window, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          shifts.push((entry as unknown as { value: number }).value);
        }
      }).observe({ type: 'layout-shift', buffered: true });
    });
    for (const room of ['a', 'b', 'c']) await open(room);
    const { local } = app.get<Inspector, { local: LocalProcess }>(Inspector);
    await until('there are samples', () => local.samples().open.length > 2);
    await visit();
    await page.waitForFunction(() => {
      const [, delivered] = [...document.querySelectorAll('.tiles polyline')];
      return (delivered?.getAttribute('points') ?? '').split(' ').length > 3;
    });
    const { broadcaster } = app.get(Streams);
    for (let n = 0; n < 20; n++) await broadcaster.to('b').emit('x', n);
    await row('streams/b')
      .locator('[data-field=events]', { hasText: /^20 sent$/ })
      .waitFor();
    const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
    expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.05);
  }, 30_000);
});
