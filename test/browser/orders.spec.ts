import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseConnections, SseModule } from 'nestjs-eventstream';
import type { Browser, Page } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import { orders as contract } from '../../sample/02-orders/events.js';
import { OrdersModule } from '../../sample/02-orders/orders.module.js';
import { OrdersService } from '../../sample/02-orders/orders.service.js';
import { servePage } from '../../sample/02-orders/page.js';
import { describeChromium, launchChromium } from './chromium.js';

/** The sample as it is, but clients come back sooner. */
@Module({ imports: [SseModule.forRoot({ contract, retry: 200 }), OrdersModule] })
class QuickModule {}

async function serve(port = 0): Promise<{ app: NestExpressApplication; port: number }> {
  const app = await NestFactory.create<NestExpressApplication>(QuickModule, {
    logger: ['warn', 'error'],
  });
  servePage(app);
  await app.listen(port, 'localhost');
  // From here on nothing happens but what a test does.
  await app.get(OrdersService).setOpen(false);
  return { app, port: (app.getHttpServer().address() as AddressInfo).port };
}

const WHOLE = '0 missing, 0 duplicated';

describeChromium('the orders in a browser', () => {
  let browser: Browser;
  let app: NestExpressApplication;
  let port: number;
  let page: Page;
  let complaints: string[];
  /** The cursors with which streams were opened. */
  let cursors: (string | null)[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    ({ app, port } = await serve());
    page = await browser.newPage();
    complaints = [];
    cursors = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname === '/events') {
        cursors.push(request.headers()['last-event-id'] ?? null);
      }
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

  it('fills its list from the snapshot, and follows every change', async () => {
    await visit();
    await shows({ received: 0, replayed: 0, snapshots: 1, gaps: 0 });
    expect(await rows()).toEqual(listed());
    expect(cursors).toEqual([null]);

    const { no } = await place('Teapot');
    await orders().advance(no);
    await shows({ received: 2, replayed: 0, snapshots: 1, gaps: 0 });
    expect(await rows()).toEqual(listed());
    expect((await rows())[0]).toEqual(`${no} Teapot 1 Packed`);
    expect(await page.locator('#cursor').textContent()).toMatch(/^1\.[\w-]+\.[\da-z]+$/);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('comes back by itself when its connection is dropped, with what it missed', async () => {
    await visit();
    await place('Seen');
    await shows({ received: 1 });
    const dropped = closed();
    await button('Drop the connection').click();
    await dropped;
    const missed = await Promise.all(['Mug', 'Honey', 'Teapot'].map(place));
    await orders().advance(missed[0]!.no);

    await shows({ received: 5, replayed: 4, snapshots: 1, gaps: 0 });
    await state('Live');
    expect(await rows()).toEqual(listed());
    expect(await story()).toEqual([
      'Back: 4 missed events arrived',
      'Connection lost: it reconnects by itself',
      'New here: the list of 8 orders came first',
    ]);
    await place('Live');
    await shows({ received: 6, replayed: 4 });
    expect(otherComplaints()).toEqual([]);
  }, 30_000);

  it('loses nothing while the shop is busy, however often the connection drops', async () => {
    await visit();
    const { revision } = orders();
    await button('Resume the shop').click();
    const busy = setInterval(() => void place('Mug'), 20);
    try {
      for (let drop = 1; drop <= 5; drop++) {
        const dropped = closed();
        await button('Drop the connection').click();
        await dropped;
        await page.waitForFunction(
          (count) => document.querySelectorAll('#story [data-what=back]').length === count,
          drop,
        );
        await state('Live');
      }
    } finally {
      clearInterval(busy);
    }
    await button('Pause the shop').click();
    await button('Resume the shop').waitFor();
    await shows({ received: orders().revision - revision, snapshots: 1, gaps: 0 });
    expect(Number(await page.locator('#replayed').textContent())).toBeGreaterThan(5);
    expect(await rows()).toEqual(listed());
    expect(otherComplaints()).toEqual([]);
  }, 60_000);

  it('goes offline for a while, and then on from its cursor with a new stream', async () => {
    await page.clock.install();
    await visit();
    await place('Seen');
    await shows({ received: 1 });
    const cursor = await page.locator('#cursor').textContent();
    const left = closed();
    expect(await lit()).toEqual(['1', 'Live', 'The shop is paused.']);
    await button('Go offline for 5 s').click();
    await left;
    await state('Offline');
    for (const id of ['drop', 'shop']) {
      expect(await page.locator(`#${id}`).getAttribute('aria-disabled')).toBe('true');
    }
    await place('Missed');
    await place('Missed too');

    await page.clock.runFor(1_000);
    await step('2', 'Offline', '2 events are happening without you.');
    expect(await check()).toEqual(['unknown', 'Offline: 2 events are waiting']);
    await page.clock.runFor(4_000);
    await shows({ received: 3, replayed: 2, snapshots: 1, gaps: 0 });
    await state('Live');
    await step('3', 'Back', '2 missed events arrived, in order, none twice.');
    expect(await check()).toEqual(['true', WHOLE]);
    expect(await page.locator('#step-away .step-text').textContent()).toBe(
      '2 events happened without you.',
    );
    expect(await page.locator('#asked').textContent()).toBe(
      `“What came after ${cursor}?” Answer: 2 events.`,
    );
    expect(cursors).toEqual([null, cursor]);
    expect(await rows()).toEqual(listed());
    expect(complaints).toEqual([]);
  }, 30_000);

  it('comes back at once when its button is pressed again, by keys too', async () => {
    await visit();
    await button('Go offline for 5 s').press('Enter');
    await state('Offline');
    await button('Come back now').press('Enter');
    await state('Live');
    expect(await page.locator(':focus').textContent()).toBe('Go offline for 5 s');
    await step('3', 'Back', 'You missed nothing.');
    expect(complaints).toEqual([]);
  }, 30_000);

  it('is offline, and no more than that, where it cannot know what it misses', async () => {
    await visit();
    await page.route('**/revision', (route) => route.abort());
    await button('Go offline for 5 s').click();
    await state('Offline');
    expect(await check()).toEqual(['unknown', 'Offline']);
    await button('Come back now').click();
    await state('Live');
  }, 30_000);

  it('shows on a phone what was replayed, without scrolling', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit();
    await button('Go offline for 5 s').click();
    await state('Offline');
    const missed = await Promise.all(['Mug', 'Honey', 'Teapot'].map(place));
    await orders().advance(missed[0]!.no);
    await button('Come back now').click();
    await shows({ replayed: 4 });
    const replayed = await page
      .locator('tr.replayed')
      .evaluateAll((all) => all.map((row) => row.getBoundingClientRect().bottom));
    expect(replayed).toHaveLength(3);
    expect(Math.max(...replayed)).toBeLessThan(844);
  }, 30_000);

  it.each([390, 768, 1280, 1920])(
    'moves nothing from its place, %d pixels wide',
    async (width) => {
      await page.setViewportSize({ width, height: 844 });
      await page.addInitScript(() => {
        const shifts: number[] = [];
        Object.assign(globalThis, { shifts });
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as (PerformanceEntry & {
            value: number;
            hadRecentInput: boolean;
          })[]) {
            if (!entry.hadRecentInput) shifts.push(entry.value);
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await visit();
      for (let no = 0; no < 5; no++) {
        await place('Mug');
        await painted();
      }
      await button('Go offline for 5 s').click();
      await state('Offline');
      await place('Missed');
      await button('Come back now').click();
      await shows({ received: 6, replayed: 1 });
      await painted();
      const shifts = await page.evaluate(
        () => (globalThis as unknown as { shifts: number[] }).shifts,
      );
      expect(shifts.reduce((sum, one) => sum + one, 0)).toBeLessThan(0.05);
    },
    30_000,
  );

  it('links to the inspector', async () => {
    await visit();
    expect(await page.getByRole('link', { name: 'Inspector' }).getAttribute('href')).toBe(
      'sse-inspector/',
    );
  }, 30_000);

  it('goes on from its cursor after a reload, without a second snapshot', async () => {
    await visit();
    // The list alone brings a cursor, before there is any event.
    const cursor = await page.locator('#cursor').textContent();
    await page.goto('about:blank');
    await place('Missed');
    await place('Missed too');
    await visit();
    await shows({ received: 2, replayed: 2, snapshots: 1, gaps: 0 });
    expect(cursors).toEqual([null, cursor]);
    expect(await rows()).toEqual(listed());
    const told = [
      'Back: 2 missed events arrived',
      'Page loaded again: with its list and its last event ID',
      'New here: the list of 8 orders came first',
    ];
    expect(await story()).toEqual(told);

    await page.reload();
    await state('Live');
    await place('Live');
    await shows({ received: 3, replayed: 2, snapshots: 1, gaps: 0 });
    expect(await story()).toEqual(['Back: nothing was missed', told[1], ...told]);
    expect(complaints).toEqual([]);
  }, 30_000);

  it('says so when the server has forgotten everything, and loads the list again', async () => {
    await visit();
    await place('Lost');
    await shows({ received: 1, snapshots: 1 });
    const note = page
      .getByRole('status')
      .filter({ hasText: "The server's history is gone: the list was loaded again" });
    expect(await note.isVisible()).toBe(false);
    await app.close();
    await state('Reconnecting');

    ({ app } = await serve(port));
    await shows({ received: 1, replayed: 0, snapshots: 2, gaps: 1 });
    await state('Live');
    await note.waitFor();
    expect(await rows()).toEqual(listed());
    expect((await story())[0]).toBe('Gap: the list of 8 orders was loaded again');
    await place('Live');
    await shows({ received: 2, snapshots: 2, gaps: 1 });
    await button('OK').click();
    expect(await note.isVisible()).toBe(false);
    expect(otherComplaints()).toEqual([]);
  }, 60_000);

  it('pauses the shop for everybody', async () => {
    await visit();
    await step('1', 'Live', 'The shop is paused.');
    const other = await browser.newPage();
    await other.goto(address());
    await button('Resume the shop').click();
    await step('1', 'Live', 'Events arrive as they happen.');
    await other.getByRole('button', { name: 'Pause the shop' }).click();
    await button('Resume the shop').waitFor();
    expect(orders().isOpen).toBe(false);
    await other.close();
    expect(complaints).toEqual([]);
  }, 30_000);

  it('would notice an event that is missing or comes twice', async () => {
    const order = (no: number, revision: number) => ({
      type: 'created',
      data: { no, item: 'Mug', amount: 1, status: 'placed', revision },
    });
    const snapshot = { reason: 'fresh', cursor: 'c', revision: 10, isOpen: true, orders: [] };
    const messages = [
      { type: 'connected', data: { connection: 'one', revision: 10 } },
      { type: 'orders', data: snapshot },
      // This one is in the snapshot already, which is no fault.
      order(1, 10),
      order(2, 11),
      order(3, 14),
      order(3, 14),
      order(4, 15),
    ];
    await page.route('**/events', (route) =>
      route.fulfill({
        contentType: 'text/event-stream',
        body: `retry: 1000000\n\n${messages.map(frameOf).join('')}`,
      }),
    );
    await page.goto(address());
    await shows({ received: 5, snapshots: 1, 'check-text': '2 missing, 1 duplicated' });
    // The snapshot says that it has the first one already.
    expect(await rows()).toEqual([4, 3, 2].map((no) => `${no} Mug 1 Placed`));
  }, 30_000);

  it('says that the server refuses the stream, and offers to try again', async () => {
    await page.route('**/events', (route) => route.fulfill({ status: 403, body: 'no' }));
    await page.goto(address());
    await state('Refused');
    await page.getByRole('alert').filter({ hasText: 'The server refused the stream' }).waitFor();
    await page.unroute('**/events');
    await button('Connect again').click();
    await state('Live');
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  }, 30_000);

  it.each([
    [1440, 900],
    [390, 844],
  ])(
    'fits into a window of %d x %d, in both colour schemes',
    async (width, height) => {
      await page.setViewportSize({ width, height });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await visit();
        await shows({ snapshots: 1 });
        const overflow = await page.evaluate(() => {
          const { scrollWidth } = document.documentElement;
          const panels = [...document.querySelectorAll('.panel, .tile')];
          const tooWide = panels.filter((panel) => panel.scrollWidth > panel.clientWidth);
          return { scrollWidth, tooWide: tooWide.map(({ className }) => className) };
        });
        expect(overflow).toEqual({ scrollWidth: width, tooWide: [] });
      }
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  const address = () => `http://localhost:${port}/`;
  const orders = () => app.get(OrdersService);
  const place = (item: string) => orders().place({ item, amount: 1 });
  /** When the next connection ends. */
  const closed = () => firstValueFrom(app.get(SseConnections).closed$);
  const button = (name: string) => page.getByRole('button', { name });

  const state = (words: string) =>
    page.locator('#state[role=status]', { hasText: new RegExp(`^\\s*${words}\\s*$`) }).waitFor();

  async function visit(): Promise<void> {
    await page.goto(address());
    await state('Live');
    await page.locator('#orders tr').first().waitFor();
  }

  /**
   * Waits until the page shows these figures; then nothing may be missing or duplicated, unless
   * that is one of them.
   */
  async function shows(figures: Record<string, number | string>): Promise<void> {
    await page.waitForFunction(
      (wanted) =>
        wanted.every(([id, figure]) => {
          const text = typeof figure === 'number' ? figure.toLocaleString('en') : figure;
          return document.getElementById(id)?.textContent === text;
        }),
      Object.entries(figures),
    );
    expect(await page.locator('#check-text').textContent()).toBe(figures['check-text'] ?? WHOLE);
  }

  const rows = () =>
    page
      .locator('#orders tr')
      .evaluateAll((all) =>
        all.map((row) => (row as HTMLElement).innerText.replaceAll(/\s+/g, ' ').trim()),
      );

  /** The step that is lit. */
  const lit = () => page.locator('#steps [aria-current] :is(span, p)').allTextContents();

  /** Waits until this one is. */
  const step = (no: string, title: string, text: string) =>
    page.waitForFunction((wanted) => {
      const parts = document.querySelectorAll('#steps [aria-current] :is(span, p)');
      return [...parts].map(({ textContent }) => textContent).join() === wanted;
    }, [no, title, text].join());

  /** Its colour and its words. */
  const check = async () => [
    await page.locator('#check').getAttribute('data-whole'),
    await page.locator('#check-text').textContent(),
  ];

  /** Two frames: what has moved is known then. */
  const painted = () =>
    page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );

  const story = () => page.locator('#story .what').allTextContents();

  /** The list of the shop, as rows. */
  function listed(): string[] {
    return orders()
      .list()
      .map(({ no, item, amount, status }) => {
        const words = status[0]!.toUpperCase() + status.slice(1);
        return `${no} ${item} ${amount} ${words}`;
      });
  }

  /**
   * Chromium reports each stream that was cut and each attempt that met no server; nothing else may
   * be wrong.
   */
  function otherComplaints(): string[] {
    return complaints.filter((text) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(text));
  }
});

function frameOf({ type, data }: { type: string; data: unknown }): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
