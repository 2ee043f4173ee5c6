import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections, SseModule } from 'nestjs-eventstream';
import type { Browser, Page, Request } from 'playwright-core';
import { DashboardModule } from '../../sample/01-dashboard/dashboard.module.js';
import { ROOMS } from '../../sample/01-dashboard/events.js';
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
    ({ app, port } = await serve());
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
      if (isStream(request)) streams.push(new URL(request.url()).searchParams.get('rooms') ?? '');
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
  });

  afterEach(async () => {
    await page.close();
    await app.close();
  });

  const state = (words: string) =>
    page.locator('#state[role=status]', { hasText: new RegExp(`^\\s*${words}\\s*$`) }).waitFor();
  const visit = async () => {
    await page.goto(`http://localhost:${port}/`);
    await state('Open');
  };
  const events = () => page.locator('#events li');
  const received = async () =>
    Number((await page.locator('#received').textContent())?.replaceAll(/\D/g, ''));

  // feature: 110
  it('draws every room, says that the stream is open, and lists the events', async () => {
    await visit();
    for (const room of ROOMS) {
      await page.waitForFunction(hasDrawnOrExplained, room);
    }
    await page.waitForFunction(() => document.querySelectorAll('#events li').length >= 14);
    expect(await events().first().textContent()).toMatch(/\d.*\{".*\}/);
    expect(await page.locator('#cursor').textContent()).toMatch(/^1\.[\w-]+\.[\da-z]+$/);
    await page.waitForFunction(() => Number(document.querySelector('#rate')?.textContent) > 1);
    expect(complaints).toEqual([]);
  }, 30_000);

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
    await events().first().waitFor();
    await page.getByRole('checkbox', { name: 'Memory' }).uncheck();
    await page.getByRole('checkbox', { name: 'CPU' }).uncheck();
    await state('Open');
    expect(streams.at(-1)).toBe('load,network,disk,event-loop,streams');
    expect(await page.locator('.card:visible').count()).toBe(5);

    const before = await received();
    await page.waitForFunction(
      (count) => Number(document.querySelector('#received')?.textContent) >= count + 10,
      before,
    );
    const newest = await page.locator('#events li .type').allTextContents();
    expect(newest.slice(0, 10)).not.toContain('cpu');
    expect(newest.slice(0, 10)).not.toContain('memory');
    expect(app.get(SseConnections).count).toBe(1);

    await page.reload();
    await state('Open');
    expect(streams.at(-1)).toBe('load,network,disk,event-loop,streams');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('asks for nothing while no room is chosen', async () => {
    await visit();
    await page.goto(`http://localhost:${port}/?rooms=`);
    await state('No room chosen');
    // Chromium may come back once more for the page that it leaves.
    await until('no stream is open', () => app.get(SseConnections).count === 0);
    expect(await page.locator('#received').textContent()).toBe('0');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('comes back by itself when the server does', async () => {
    await visit();
    await events().first().waitFor();
    await app.close();
    await state('Reconnecting');

    ({ app } = await serve(port));
    await state('Open');
    const before = await received();
    await page.waitForFunction(
      (count) => Number(document.querySelector('#received')?.textContent) >= count + 7,
      before,
    );
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
    await page.goto(`http://localhost:${port}/`);
    await state('Closed');
    await page.getByRole('alert').filter({ hasText: '403, Not for you' }).waitFor();
    await page.unroute('**/events?*');
    await page.getByRole('button', { name: 'Connect again' }).click();
    await state('Open');
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  }, 30_000);

  it('stands still while it is paused', async () => {
    await visit();
    await events().first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    const listed = await events().allTextContents();
    const before = await received();
    await page.waitForFunction(
      (count) => Number(document.querySelector('#received')?.textContent) > count,
      before,
    );
    expect(await events().allTextContents()).toEqual(listed);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.waitForFunction(
      (first) => document.querySelector('#events li')?.textContent !== first,
      listed[0],
    );
  }, 30_000);
});

function isStream(request: Request): boolean {
  return new URL(request.url()).pathname === '/events';
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
  const colors = [...card.querySelectorAll('.legend .swatch')].map((swatch) =>
    getComputedStyle(swatch).backgroundColor.match(/\d+/g)!.map(Number),
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
