import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Broadcaster, SseConnections, SseModule } from 'nestjs-eventstream';
import type { Browser, Page, Request } from 'playwright-core';
import { DashboardModule } from '../../sample/01-dashboard/dashboard.module.js';
import { KEPT, ROOMS, type Room } from '../../sample/01-dashboard/events.js';
import { servePage } from '../../sample/01-dashboard/page.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';

/** The sample as it is, but clients come back sooner. */
@Module({ imports: [SseModule.forRoot({ retry: 200 }), DashboardModule] })
class QuickModule {}

async function serve(port = 0): Promise<{ app: NestExpressApplication; port: number }> {
  const app = await NestFactory.create<NestExpressApplication>(QuickModule, {
    logger: ['warn', 'error'],
  });
  servePage(app);
  await app.listen(port, 'localhost');
  return { app, port: (app.getHttpServer().address() as AddressInfo).port };
}

describeChromium('the dashboard in a browser', () => {
  let browser: Browser;
  let app: NestExpressApplication;
  let port: number;
  let page: Page;
  let complaints: string[];
  let streams: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    page = await browser.newPage();
    complaints = [];
    streams = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!isStream(request)) return;
      const { searchParams } = new URL(request.url());
      const after = searchParams.has('lastEventId') ? ', with an ID' : '';
      streams.push(`${searchParams.get('rooms')}${after}`);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    // Last: a test that fills the history has to be earlier than the first sample.
    ({ app, port } = await serve());
  });

  afterEach(async () => {
    await page.close();
    await app.close();
  });

  const state = (words: string) =>
    page.locator('#state[role=status]', { hasText: new RegExp(`^\\s*${words}\\s*$`) }).waitFor();
  const open = () => page.goto(`http://localhost:${port}/`);
  const visit = async () => {
    await open();
    await state('Live');
  };
  const story = (words: RegExp) => page.locator('#story', { hasText: words }).waitFor();
  const figuresOfStory = async () =>
    [...((await page.locator('#story').textContent()) ?? '').matchAll(/\d+/g)].map(Number);
  const lines = (origin = '') => page.locator(`#events > li${origin && `[data-origin=${origin}]`}`);
  const received = async () =>
    Number((await page.locator('#received').textContent())?.replaceAll(/\D/g, ''));
  const atLeast = (count: number) =>
    page.waitForFunction(
      (least) =>
        Number(document.querySelector('#received')?.textContent?.replaceAll(/\D/g, '')) >= least,
      count,
    );
  const sampled = async () => (await broadcaster().history('memory')).events.length;
  const broadcaster = () => app.get(Broadcaster);
  /** As if the server had run for a minute. */
  const fillHistory = async () => {
    const now = Date.now();
    for (let key = 0; key < KEPT; key++) {
      const at = now - 59_500 + key * 1_000;
      const cores = [20 + (at % 7_000) / 100, 60];
      const memory = { usedBytes: 3e9, totalBytes: 8e9, processBytes: 1e8 };
      const load = { one: 1.5, five: 1.2, fifteen: 1 };
      const network = { received: 9_000, sent: 4_000, loopback: 2_000, interfaces: ['eth0'] };
      const disk = { read: 1e5, written: 2e5, devices: ['vda'] };
      const loop = { p50: 0.2, p99: 2, max: 9 };
      const rates = { connections: 1, published: 7, delivered: 7, bufferedBytes: 0 };
      const figures: Record<Room, object> = {
        cpu: { cores },
        memory,
        load,
        network,
        disk,
        'event-loop': loop,
        streams: rates,
      };
      for (const room of ROOMS) {
        await broadcaster()
          .state(room)
          .set(String(key), { ...figures[room], at });
      }
    }
  };

  // feature: 110
  it('draws every room, says that the stream is live, and lists the events', async () => {
    await visit();
    for (const room of ROOMS) {
      await page.waitForFunction(hasDrawnOrExplained, room);
    }
    await lines('live').nth(1).waitFor();
    expect(await lines('live').first().textContent()).toMatch(/\d\d:\d\d:\d\d.*7 events.*live/s);
    expect(await page.locator('#cursor').textContent()).toMatch(/^1\.[\w-]+\.[\da-z]+$/);
    await page.waitForFunction(() => Number(document.querySelector('#rate')?.textContent) > 1);
    expect(complaints).toEqual([]);
  }, 30_000);

  // feature: 110
  it('is full at first sight, when the server has run for a minute', async () => {
    await fillHistory();
    await visit();
    // Without a history this would take a minute, and time out.
    await page.waitForFunction(startsWithin, { room: 'cpu', pixels: 8, seconds: 59 });
    await story(/^This page is new\. The last \d+ s came first: \d+ entries\.$/);
    const [seconds, count] = await figuresOfStory();
    expect(seconds).toBeGreaterThanOrEqual(59);
    expect(count).toBeGreaterThanOrEqual(60 * ROOMS.length);
    expect(await lines('state').count()).toBeGreaterThanOrEqual(60);
    for (const room of ROOMS) await page.waitForFunction(hasDrawnOrExplained, room);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('shows the time that there is, when the server has just started', async () => {
    await visit();
    await page.waitForFunction(startsWithin, { room: 'cpu', pixels: 8, seconds: 5 });
    // A minute has 60 lines: these are the first few.
    expect(await lines().count()).toBeLessThan(40);
  }, 30_000);

  it.each([390, 1280])(
    'moves nothing while it is looked at, %i pixels wide',
    async (width) => {
      await fillHistory();
      await page.setViewportSize({ width, height: 844 });
      await page.addInitScript(() => {
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) {
            const { dataset } = document.documentElement;
            dataset['shift'] = String(Number(dataset['shift'] ?? 0) + entry.value);
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await visit();
      await lines('live').nth(4).waitFor({ state: 'attached' });
      const shift = await page.evaluate(() =>
        Number(document.documentElement.dataset['shift'] ?? 0),
      );
      expect(shift).toBeLessThan(0.05);
    },
    30_000,
  );

  it('draws in the colours and the size that are asked for, also when they change', async () => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
    await visit();
    await page.waitForFunction(hasDrawnOrExplained, 'memory');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForFunction(() => {
      const plot = document.querySelector('[data-room=memory] .plot');
      return plot?.querySelector('canvas')?.clientWidth === plot?.clientWidth;
    });
    await page.waitForFunction(hasDrawnOrExplained, 'memory');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('connects again with the rooms that are chosen, and shows only those', async () => {
    await visit();
    await lines('live').first().waitFor();
    await page.getByRole('checkbox', { name: 'Memory' }).uncheck();
    await page.getByRole('checkbox', { name: 'CPU' }).uncheck();
    await state('Live');
    await story(/^CPU is off/);
    expect(streams.at(-1)).toBe('load,network,disk,event-loop,streams, with an ID');
    expect(await page.locator('.card:visible').count()).toBe(5);
    const width = await page.locator('#cards').evaluate(widthOf);
    expect(await widthsOfLines()).toEqual([width, width]);

    const before = await lines().count();
    await lines()
      .nth(before + 1)
      .waitFor({ state: 'attached' });
    expect(await lines().last().locator('.dot[data-color="1"]').count()).toBe(0);
    // Chromium lets go of the connections before this one when it has time.
    await until('one stream is open', () => app.get(SseConnections).count === 1);

    await page.reload();
    await state('Live');
    expect(streams.at(-1)).toBe('load,network,disk,event-loop,streams');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('gives a room that joins later its last minute too, and the others nothing twice', async () => {
    await fillHistory();
    await page.goto(`http://localhost:${port}/?rooms=cpu,load`);
    await lines('live').nth(1).waitFor({ state: 'attached' });
    await page.getByRole('checkbox', { name: 'Memory' }).check();
    await story(/^Memory joined later\. The last \d+ s came first: \d+ entries\.$/);
    const [seconds, count] = await figuresOfStory();
    expect(seconds).toBeGreaterThanOrEqual(59);
    expect(count).toBeGreaterThanOrEqual(60);
    expect(streams).toEqual(['cpu,load', 'cpu,memory,load']);
    await page.waitForFunction(hasDrawnOrExplained, 'memory');
    // Its events are in the lines of their seconds, and those of the others once.
    const line = lines('state').nth(30);
    await line.getByText('3 events').waitFor();
    const before = await lines('live').count();
    await lines('live').nth(before).waitFor({ state: 'attached' });
    expect(await lines('live').last().locator('.dot').count()).toBe(3);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('asks for nothing while no room is chosen', async () => {
    await visit();
    await page.goto(`http://localhost:${port}/?rooms=`);
    await state('Offline');
    await story(/^No room is chosen/);
    // Chromium may come back once more for the page that it leaves.
    await until('no stream is open', () => app.get(SseConnections).count === 0);
    expect(await page.locator('#received').textContent()).toBe('0');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('drops its connection, and shows what it missed and got when it was back', async () => {
    await visit();
    await lines('live').first().waitFor();
    const before = await sampled();
    await page.route('**/events?*', async (route) => {
      await until('two samples are missed', async () => (await sampled()) >= before + 3);
      await route.continue();
    });
    await page.getByRole('button', { name: 'Drop connection' }).click();
    await state('Reconnecting');
    await state('Live');
    await story(/^Back after [\d.]+ s: \d+ missed events replayed\. Nothing is lost\.$/);
    await lines('replayed').first().waitFor();
    const replayed = Number(await page.locator('#replayed').textContent());
    expect(replayed).toBeGreaterThanOrEqual(7);
    expect(await lines('replayed').count()).toBe(replayed / 7);
  }, 30_000);

  it('comes back by itself when the server does', async () => {
    await visit();
    await lines('live').first().waitFor();
    await app.close();
    await state('Reconnecting');

    ({ app } = await serve(port));
    await state('Live');
    await story(/^Back after [\d.]+ s\. Not all that was missed is kept, so the state came: \d+/);
    await atLeast((await received()) + 7);
    await page.waitForFunction(hasDrawnOrExplained, 'cpu');
    // Chromium reports each attempt that met no server, and nothing else may be wrong.
    expect(complaints.filter((text) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(text))).toEqual(
      [],
    );
  }, 60_000);

  it('says why the server refuses the stream, and offers to try again', async () => {
    await page.route('**/events?*', (route) =>
      route.fulfill({ status: 403, json: { message: 'Not for you' } }),
    );
    await open();
    await state('Refused');
    await page.getByRole('alert').filter({ hasText: '403, Not for you' }).waitFor();
    await page.unroute('**/events?*');
    await page.getByRole('button', { name: 'Connect again' }).click();
    await state('Live');
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  }, 30_000);

  it('stands still while it is paused', async () => {
    await fillHistory();
    await visit();
    await lines('live').first().waitFor();
    // A page that is slow shows its lines later. Only a full list can be scrolled.
    await lines().nth(10).waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Pause' }).click();
    const picture = () => page.locator('[data-room=cpu] canvas').evaluate(pictureOf);
    const scrolled = () => page.locator('#events').evaluate(({ scrollTop }) => scrollTop);
    const before = [await picture(), await scrolled()];
    await page.getByRole('button', { name: '2 newer' }).waitFor();
    expect([await picture(), await scrolled()]).toEqual(before);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'newer' }).waitFor({ state: 'hidden' });
    expect(await scrolled()).toBeGreaterThan(Number(before[1]));
    await page.waitForFunction(
      (shown) =>
        document.querySelector<HTMLCanvasElement>('[data-room=cpu] canvas')?.toDataURL() !== shown,
      before[0],
    );
  }, 30_000);

  it('leaves an event where it is while somebody reads it', async () => {
    await fillHistory();
    await visit();
    await lines('live').first().waitFor();
    const line = lines('state').last();
    await line.locator('summary').click();
    const json = await line.locator('.json').first().textContent();
    expect(JSON.parse(json ?? '')).toMatchObject({
      room: 'cpu',
      value: { at: expect.any(Number) },
    });
    expect(await line.locator('.json').first().evaluate(isWhole)).toBe(true);
    const top = () => line.evaluate((element) => element.getBoundingClientRect().top);
    const before = await top();
    await page.getByRole('button', { name: '2 newer' }).waitFor();
    expect(await top()).toBe(before);
    await page.getByRole('button', { name: /newer/ }).click();
    await page.waitForFunction(() => {
      const events = document.querySelector('#events')!;
      return events.scrollHeight - events.scrollTop - events.clientHeight < 1;
    });
    expect(complaints).toEqual([]);
  }, 30_000);

  /** How wide each line of plots is. */
  const widthsOfLines = () =>
    page.locator('.card:visible').evaluateAll((cards) => {
      const edges = new Map<number, [left: number, right: number]>();
      for (const card of cards) {
        const { top, left, right } = card.getBoundingClientRect();
        const [first, last] = edges.get(top) ?? [left, right];
        edges.set(top, [Math.min(first, left), Math.max(last, right)]);
      }
      return [...edges.values()].map(([left, right]) => Math.round(right - left));
    });
});

function widthOf(element: Element): number {
  return Math.round(element.getBoundingClientRect().width);
}

function pictureOf(canvas: Element): string {
  return (canvas as HTMLCanvasElement).toDataURL();
}

/** Runs in the page: nothing of the text is cut off. */
function isWhole({ scrollWidth, clientWidth, scrollHeight, clientHeight }: Element): boolean {
  return scrollWidth <= clientWidth && scrollHeight <= clientHeight;
}

function isStream(request: Request): boolean {
  return new URL(request.url()).pathname === '/events';
}

/**
 * Runs in the page: does a line of the room's plot begin so near to its left edge, and are there so
 * many seconds in it?
 */
function startsWithin({
  room,
  pixels,
  seconds,
}: {
  room: string;
  pixels: number;
  seconds: number;
}): boolean {
  const card = document.querySelector(`.card[data-room="${room}"]`);
  const canvas = card?.querySelector('canvas');
  if (!card || !canvas) return false;
  const colors = [...card.querySelectorAll('.legend .label')].map((label) =>
    getComputedStyle(label, '::before').backgroundColor.match(/\d+/g)!.map(Number),
  );
  const scale = canvas.width / canvas.clientWidth;
  const left = Math.ceil(68 * scale);
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(left, 0, Math.ceil(pixels * scale), canvas.height);
  const isLine = Array.from({ length: data.length / 4 }, (_, no) => no * 4).some(
    (pixel) =>
      data[pixel + 3]! > 200 &&
      colors.some((color) =>
        color.every((value, channel) => Math.abs(data[pixel + channel]! - value) < 12),
      ),
  );
  return isLine && document.querySelectorAll('#events time').length >= seconds;
}

/**
 * Runs in the page: is there a line in one of its colours, or does the room say that there is
 * nothing to draw?
 */
function hasDrawnOrExplained(room: string): boolean {
  const card = document.querySelector(`.card[data-room="${room}"]`);
  if (card?.querySelector('.unavailable:not([hidden])')?.textContent) return true;
  const canvas = card?.querySelector('canvas');
  if (!card || !canvas) return false;
  const colors = [...card.querySelectorAll('.legend .label')].map((label) =>
    getComputedStyle(label, '::before').backgroundColor.match(/\d+/g)!.map(Number),
  );
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let pixel = 0; pixel < data.length; pixel += 4) {
    // Lines are smoothed at their edges, and one may cover another.
    const isNear = (color: number[]) =>
      color.every((value, channel) => Math.abs(data[pixel + channel]! - value) < 12);
    if (data[pixel + 3]! > 200 && colors.some(isNear)) return true;
  }
  return false;
}
