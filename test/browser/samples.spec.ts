import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { SseConnections } from 'nestjs-eventstream';
import { AppModule as DemoModule } from '../../sample/16-demo-page/app.module.js';
import { AppModule as PanelsModule } from '../../sample/17-panels/app.module.js';
import { servePage as servePanels } from '../../sample/17-panels/page.js';
import { servePageOf } from '../../sample/shared/serve-folders.js';
import { createApp } from '../../sample/shared/start.js';
import { listSamples, startSamples, type SamplesProcess } from '../support/samples-process.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';

/**
 * What shows that events have arrived, and what has to be done first where nothing comes by itself.
 */
const PAGES: Record<string, (page: Page) => Promise<void>> = {
  '01-dashboard': (page) => page.locator('#events li').first().waitFor(),
  '02-orders': (page) => page.locator('#orders tr').first().waitFor(),
  '04-llm-tokens': async (page) => {
    await page.locator('#question').fill('Hello?');
    await page.locator('#question').press('Enter');
    await text(page, '#answer', /\w+ \w+/);
  },
  '05-time': (page) => text(page, '#time', /\d\d:\d\d:\d\d/),
  '06-counter': async (page) => {
    await text(page, '#count', /10/);
    await state(page, 'Ended');
    // The answer to the browser's return.
    await text(page, '#story', /told: no more/);
  },
  '07-stocks': async (page) => {
    await text(page, '#price', /\d+\.\d\d/);
    await page.getByRole('button', { name: 'UMBRA' }).click();
    await text(page, '#curl', /UMBRA/);
    await text(page, '#events', /UMBRA/);
  },
  '08-notifications': async (page) => {
    await page.getByLabel('Message').fill(MARKUP);
    await page.getByRole('button', { name: 'Send' }).click();
    for (const user of ['ann', 'ben']) await text(page, `#${user}`, /info<img/);
    await page.getByLabel('Message').fill('');
    await page.getByRole('button', { name: 'Send' }).click();
    await text(page, '#problem', /message: expected a text/);
  },
  '09-logs': async (page) => {
    await page.getByRole('button', { name: 'Append' }).click();
    await text(page, '#log', /Somebody was here/);
    await page.getByRole('button', { name: 'Rotate' }).click();
    await text(page, '#log', /a new file --.*Z/);
    await page.getByRole('button', { name: 'Empty' }).click();
    await text(page, '#log', /emptied --.*Z/);
  },
  '10-progress': async (page) => {
    await text(page, '#jobs', /Done.*100 %/);
    await state(page, 'Ended');
  },
  '11-chat': async (page) => {
    await page.getByLabel('Name').fill('Ann');
    await page.getByLabel('Text').fill(MARKUP);
    await text(page, '#there', /Ann/);
    await page.getByRole('button', { name: 'Send' }).click();
    await text(page, '#said', /Ann.*<img/);
    await page.getByRole('button', { name: 'Kitchen' }).click();
    await page.locator('#said li').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Lobby' }).click();
    await text(page, '#said', /Ann.*<img/);
  },
  '12-messages': async (page) => {
    await text(page, '#messages', /msg-1/);
    await page.getByRole('button', { name: 'Interrupt' }).click();
    await text(page, '#messages', /what follows (msg-\d).*msg-/);
    const ids = await page.locator('#messages .id').allTextContents();
    expect(ids).toEqual(ids.map((_, index) => `msg-${index}`));
  },
  '13-readings': async (page) => {
    await text(page, '#temperature', /\d °C/);
    await page.getByRole('button', { name: 'Break' }).click();
    await text(page, '#last-word', /It said: The sensor does not answer/);
    await state(page, 'Reconnecting');
    await state(page, 'Live');
  },
  '14-xml': (page) => text(page, '#towns', /Hay & Wye/),
  '15-binary': async (page) => {
    await page.waitForFunction(
      () => document.querySelector<HTMLImageElement>('#picture')?.naturalWidth === 96,
    );
  },
  '16-demo-page': (page) => text(page, '#list', /All is well/),
  '17-panels': async (page) => {
    await text(page, '#panels li >> nth=9', /\d %/);
    await text(page, '#rooms', /^11$/);
    await text(page, '#leader', /this tab/);
  },
  '18-mcp': (page) => text(page, '#calls', /Counted to 20 in process \d+/),
};

const MARKUP = '<img src=x onerror=alert(1)>';

describeChromium('the samples in a browser', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    complaints = [];
    context = await browser.newContext();
    page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      complaints.push(`alert: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
  });

  afterEach(() => context.close());

  describe('each with its page', () => {
    let samples: SamplesProcess;
    let ports: Map<string, number>;

    beforeAll(async () => {
      samples = await startSamples();
      const listed = await listSamples(samples.url);
      ports = new Map(listed.map(({ name, port }) => [name, port]));
    }, 60_000);

    afterAll(() => {
      samples?.child.kill();
    });

    // feature: 90, 106, 107, 108, 109, 111, 112, 113, 114, 115, 116, 117, 119
    it.each(Object.entries(PAGES))(
      '%s shows what arrives',
      async (name, look) => {
        await page.goto(`http://localhost:${ports.get(name)}/`);
        await look(page);
        // An input that is refused is a 400, which Chromium reports.
        expect(complaints.filter((complaint) => !complaint.includes('400'))).toEqual([]);
        await fits(page);
      },
      30_000,
    );

    it('the list links to each, and counts who watches', async () => {
      await page.goto(samples.url);
      await state(page, 'Live');
      const opened = page.locator('a.open[href]');
      const urls = async () =>
        new Set(
          await opened.evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
        );
      await page.locator('#small li').last().waitFor();
      for (const port of ports.values()) {
        expect([...(await urls())]).toContain(`http://localhost:${port}/`);
      }
      const watching = await browser.newPage();
      const row = page.locator('[id="05-time"]');
      expect(await row.locator('.streams').textContent()).toBe('');
      await watching.goto((await row.locator('.open').getAttribute('href')) ?? '');
      await row.getByText('1 open', { exact: true }).waitFor();
      await watching.getByRole('link', { name: 'All samples' }).waitFor();
      await watching.close();
      expect(complaints).toEqual([]);
      await fits(page);
    }, 30_000);
  });

  describe('the demo page', () => {
    let app: INestApplication;

    const serve = async (port = 0): Promise<string> => {
      const folder = join(import.meta.dirname, '../../sample/16-demo-page');
      app = await createApp(DemoModule, servePageOf(folder));
      await app.listen(port, 'localhost');
      return `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}/`;
    };

    afterEach(() => app.close());

    // feature: 118
    it('follows the server when it stops and when it is back', async () => {
      const url = await serve();
      await page.goto(url);
      await state(page, 'Live');
      const color = () => page.locator('#state').evaluate((one) => getComputedStyle(one).color);
      const connected = await color();
      await text(page, '#list', /All is well/);

      await app.close();
      await state(page, 'Reconnecting');
      expect(await color()).not.toBe(connected);
      const before = await page.locator('#list li').count();
      await serve(Number(new URL(url).port));
      await state(page, 'Live');
      expect(await color()).toBe(connected);
      await page.locator('#list li').nth(before).waitFor();
      // Chromium reports each attempt that met no server.
      expect(complaints.filter((line) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(line))).toEqual(
        [],
      );
    }, 60_000);

    // feature: 118
    // fault: 22
    it('shows markup as the text that it is, the newest first', async () => {
      await page.goto(await serve());
      await text(page, '#list', /All is well/);
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('#list [data-type=update]').waitFor();
      const first = page.locator('#list li').first();
      expect(await first.locator('.type').textContent()).toBe('update');
      expect(await first.locator('.text').textContent()).toBe(MARKUP);
      expect(await page.locator('#list img').count()).toBe(0);
      await page.getByLabel('Text').fill('');
      await page.getByRole('button', { name: 'Send' }).click();
      await text(page, '#problem', /text: expected a text of 1 to 200 characters/);
      expect(complaints.filter((complaint) => !complaint.includes('400'))).toEqual([]);
    }, 30_000);
  });

  describe('the ten panels', () => {
    let app: INestApplication;
    let connections: SseConnections;

    beforeEach(async () => {
      app = await createApp(PanelsModule, servePanels);
      await app.listen(0, 'localhost');
      connections = app.get(SseConnections, { strict: false });
    });
    afterEach(() => app.close());

    const rooms = () => connections.list().map((connection) => connection.rooms.length);
    const panel = (tab: Page, name: string, pattern: RegExp) =>
      tab
        .locator('#panels li', { has: tab.getByRole('heading', { name }) })
        .locator('.load', { hasText: pattern })
        .waitFor();

    // feature: 119
    it('share one connection with all tabs, and each tab has its own open', async () => {
      const url = `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}/`;
      await page.goto(url);
      await panel(page, 'Saw', /\d %/);
      await text(page, '#leader', /this tab/);
      const other = await context.newPage();
      await other.goto(url);
      await panel(other, 'Saw', /\d %/);
      await text(other, '#leader', /^tab \w+/);
      expect(rooms()).toEqual([11]);

      await page.getByRole('button', { name: 'Close Oven' }).click();
      await panel(page, 'Oven', /closed/);
      const line = () => other.locator('polyline').nth(7).getAttribute('points');
      const before = await line();
      await until('the panel of the other tab goes on', async () => (await line()) !== before);
      expect(rooms()).toEqual([11]);
      await other.getByRole('button', { name: 'Close Oven' }).click();
      await text(page, '#rooms', /^10$/);
      expect(rooms()).toEqual([10]);

      await page.close();
      await text(other, '#leader', /this tab/);
      await text(other, '#rooms', /^10$/);
      await other.getByRole('button', { name: 'Open Oven' }).click();
      await panel(other, 'Oven', /\d %/);
      // Until the room has joined, the panel shows the last that it had.
      await text(other, '#rooms', /^11$/);
      expect(rooms()).toEqual([11]);
      expect(complaints).toEqual([]);
    }, 30_000);
  });
});

function state(page: Page, words: string): Promise<void> {
  return page.locator('#state', { hasText: new RegExp(`^\\s*${words}\\s*$`) }).waitFor();
}

function text(page: Page, selector: string, pattern: RegExp): Promise<void> {
  return page.locator(selector, { hasText: pattern }).waitFor();
}

/** Also on a phone, and in the dark. */
async function fits(page: Page): Promise<void> {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
}
