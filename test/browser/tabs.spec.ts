// Tabs of a real browser that share a stream.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { SharedTabs, SOON, type PageGlobals } from './shared-tabs.js';

describeChromium('tabs that share a stream', () => {
  let browser: Browser;
  let context: BrowserContext;
  let tabs: SharedTabs;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  beforeEach(async () => {
    context = await browser.newContext();
    tabs = await SharedTabs.start(context);
  });
  afterEach(async () => {
    tabs.stop();
    await context.close();
  });

  // feature: 98
  it('get every event once and in order over one connection, also if one opens later', async () => {
    const pages = await tabs.fourTabs();
    const late = await tabs.open();
    await tabs.gotSome(late);
    await tabs.expectExact(...pages, late);
    for (const page of pages) expect((await tabs.got(page))[0]).toBe(1);
    expect((await tabs.got(late))[0]).toBeGreaterThan(1);
    expect(tabs.cursors).toEqual([undefined]);
  });

  it('go on where the leader stopped when it is closed or loaded again', async () => {
    const [first, second, third, fourth] = await tabs.fourTabs();
    await first.close();
    await tabs.gotSome(fourth);
    await second.reload();
    await tabs.gotSome(fourth);
    await tabs.read(second);
    await tabs.gotSome(second);
    await tabs.expectExact(second, third, fourth);
    expect(tabs.cursors.map((cursor) => typeof cursor)).toEqual(['undefined', 'string', 'string']);
    expect(tabs.mostOpen).toBeLessThanOrEqual(2);
    await Promise.all([second, third, fourth].map((page) => page.close()));
    await until('no connection', () => tabs.connections.count === 0);
  });

  it('go on when the process of the leader is killed', async () => {
    const [first, ...others] = await tabs.fourTabs();
    const session = await context.newCDPSession(first);
    session.send('Page.crash').catch(() => {});
    await tabs.gotSome(...others);
    await tabs.expectExact(...others);
    expect(tabs.cursors.length).toBe(2);
  });

  it('go on when the leader hangs, which does not lead any more when it is back', async () => {
    const [first, ...others] = await tabs.fourTabs(SOON);
    const session: CDPSession = await context.newCDPSession(first);
    await session.send('Debugger.enable');
    let hangs = false;
    session.on('Debugger.paused', () => (hangs = true));
    // On a busy machine Chromium forgets the first one.
    await until('the leader hangs', async () => {
      if (!hangs) await session.send('Debugger.pause');
      return hangs;
    });
    await until('another leader', () => tabs.cursors.length > 1);
    await tabs.gotSome(...others);
    await session.send('Debugger.resume');
    await session.detach();
    await tabs.expectExact(first, ...others);
    expect(await tabs.leading(first)).toEqual([false]);
  });

  it('has the entries of state rooms in a tab that opens later', async () => {
    const prices = tabs.hub.state<Record<string, number>>('prices');
    await prices.set('A', 1);
    const first = await tabs.open();
    await prices.set('B', 2);
    const second = await tabs.open();
    await prices.set('A', 3);
    await prices.delete('B');
    await prices.set('C', 4);
    for (const page of [first, second]) {
      await until('the entries', async () => {
        const entries = await page.evaluate(() => [
          ...(globalThis as typeof globalThis & PageGlobals).stream.stateOf('prices'),
        ]);
        return JSON.stringify(entries) === '[["A",3],["C",4]]';
      });
    }
    expect(tabs.cursors.length).toBe(1);
  });

  it('have the rooms of all tabs, which the next leader goes on with', async () => {
    const pages = [
      await tabs.open({}, '/panels'),
      await tabs.open({}, '/panels'),
      await tabs.open({}, '/panels'),
    ];
    const [first, second, third] = pages as [Page, Page, Page];
    const joinRoom = (page: Page, room: string): Promise<unknown> =>
      page.evaluate(
        (name) => (globalThis as typeof globalThis & PageGlobals).stream.join(name),
        room,
      );
    await Promise.all([joinRoom(first, 'a'), joinRoom(second, 'b'), joinRoom(third, 'c')]);
    const rooms = ['main', 'a', 'b', 'c'];
    tabs.publish((n) => rooms[n % rooms.length]!);
    await tabs.gotSome(...pages);
    const session = await context.newCDPSession(first);
    session.send('Page.crash').catch(() => {});
    await until('another leader', () => tabs.cursors.length === 2);
    // Nobody else has room a. The server leaves it once the crash is known.
    rooms.splice(1, 1);
    const numbers = (): Promise<number[][]> =>
      Promise.all([second, third].map((page) => tabs.got(page)));
    await tabs.gotSome(second);
    await tabs.gotSome(third);
    tabs.stop();
    for (const page of [second, third]) {
      await until('the last event', async () => (await tabs.got(page)).at(-1) === tabs.last);
    }
    for (const list of await numbers()) {
      const expected = Array.from({ length: tabs.last - list[0]! + 1 }, (_, n) => list[0]! + n);
      expect(list).toEqual(expected);
    }
  });

  it('closes all tabs with the error that closed the stream', async () => {
    const missing = async (page: Page): Promise<unknown> => {
      await page.goto(tabs.url);
      return page.evaluate(async () => {
        const to = globalThis as typeof globalThis & PageGlobals;
        const stream = to.connectTabs('/nowhere');
        stream.on('n', () => {});
        const { reason, error } = await stream.closed;
        return [reason, error?.code, error?.status];
      });
    };
    const ends = await Promise.all([
      missing(await context.newPage()),
      missing(await context.newPage()),
    ]);
    expect(ends).toEqual([
      ['error', 'SSE_STATUS', 404],
      ['error', 'SSE_STATUS', 404],
    ]);
  });

  it('have a connection each where the browser has no locks or no channels', async () => {
    await context.addInitScript(() => {
      Object.defineProperty(navigator, 'locks', { value: undefined });
    });
    const pages = [await tabs.open(), await tabs.open()];
    tabs.publish();
    await tabs.gotSome(...pages);
    tabs.stop();
    expect(tabs.connections.count).toBe(2);
  });
});
