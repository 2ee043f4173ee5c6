import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { startCluster } from '../support/cluster-sample.js';
import { describeRedis } from '../support/redis-server.js';
import { CHROMIUM, launchChromium } from './chromium.js';

const WHOLE = '0 missing, 0 duplicated';

(CHROMIUM === undefined ? describe.skip : describeRedis)('the cluster in a browser', () => {
  let browser: Browser;
  let sample: ChildProcess;
  let url: string;
  let pages: Page[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    [browser, { sample, url }] = await Promise.all([launchChromium(), startCluster()]);
  }, 30_000);

  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
    complaints = [];
  });

  afterAll(async () => {
    sample?.kill('SIGTERM');
    await browser?.close();
  });

  it('goes on in another process, with what was missed, when its own is killed', async () => {
    const [first, second] = [await visit(), await visit()];
    await Promise.all([first, second].map((page) => receives(page, 2)));
    const lost = await where(first);
    const pid = await pidOf(first, lost);
    await button(first, 'Kill the process you are on').click();
    await first.locator('#story [data-what=lost]').waitFor();
    await first.locator('#story [data-what=back]').waitFor();
    await state(first, 'Live');

    expect(await where(first)).not.toBe(lost);
    const [back] = await first.locator('#story [data-what=back] strong').allTextContents();
    const here = (await where(first)).toLowerCase();
    expect(back).toBe(`Back on ${here}:`);
    expect(await first.locator('#where').textContent()).toBe(
      `You went from ${lost.toLowerCase()} to ${here}.`,
    );
    expect(await first.locator('#story [data-what=lost]').textContent()).toContain(
      `Connection to ${lost.toLowerCase()} lost`,
    );
    expect(await first.locator('#step-back').textContent()).toMatch(
      new RegExp(
        `Back on ${here}: (you missed nothing|\\d+ missed events? arrived, in order, none twice)\\.`,
      ),
    );
    await Promise.all([first, second].map((page) => receives(page, 2)));
    await areWhole();
    for (const page of [first, second]) {
      for (const tab of [first, second]) await shows(page, tab);
      await page.locator('#there', { hasText: /^2 tabs open, you are \w+ \d+\.$/ }).waitFor();
    }
    // It is there again, as another one.
    await row(first, lost).filter({ hasText: 'pid' }).waitFor();
    expect(await pidOf(first, lost)).not.toBe(pid);
    await showTheSame(first, second);
    expect(otherComplaints()).toEqual([]);
  }, 30_000);

  it('goes on where it was when Redis comes back, and reconnects also without it', async () => {
    const [first, second] = [await visit(), await visit()];
    await Promise.all([first, second].map((page) => receives(page, 2)));
    await kill(first, 'Redis').click();
    for (const page of [first, second]) {
      await row(page, 'Redis', false).waitFor();
      await state(page, 'Redis is away');
      expect(await page.locator('#check-text').textContent()).toBe('Held back: Redis is away');
      expect(await page.locator('#check').getAttribute('data-whole')).toBe('unknown');
      expect(await told(page)).toContain('Redis is away: events are held back');
    }
    const lost = await where(first);
    await kill(first, lost).click();
    await first.locator('#story [data-what=back]').waitFor();
    await state(first, 'Redis is away');
    expect(await row(first, 'Redis', false).isVisible()).toBe(true);
    expect(await where(first)).not.toBe(lost);

    for (const page of [first, second]) await row(page, 'Redis').waitFor();
    await Promise.all([first, second].map((page) => receives(page, 2)));
    await areWhole();
    for (const page of [first, second]) {
      await state(page, 'Live');
      expect(await told(page)).toContainEqual(
        expect.stringMatching(/^Redis is back after \d+ s: nothing lost$/),
      );
    }
    await showTheSame(first, second);
    expect(otherComplaints()).toEqual([]);
  }, 30_000);

  it('says what is new in it, and where its guide is', async () => {
    const page = await visit();
    expect(await page.title()).toBe('Kill a server');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(
      'Kill a server. Nothing is lost.',
    );
    expect(await page.locator('.links').textContent()).toContain('Redis and many processes');
    // The first button is the one to press.
    expect((await page.getByRole('button').first().textContent())?.trim()).toBe(
      'Kill the process you are on',
    );
    expect(await page.locator('#behind [data-here=true] .name strong').textContent()).toBe(
      await where(page),
    );
    const inspector = await fetch(new URL('sse-inspector/', `${url}/`));
    expect(inspector.status).toBe(200);
    await inspector.arrayBuffer();
  }, 30_000);

  it('drops a connection, whichever process is asked to', async () => {
    const page = await visit();
    for (let drop = 1; drop <= 3; drop++) {
      await page.getByRole('button', { name: 'Drop the connection' }).click();
      await page.waitForFunction(
        (count) => document.querySelectorAll('#story [data-what=back]').length === count,
        drop,
      );
      await state(page, 'Live');
    }
    await areWhole();
    expect(otherComplaints()).toEqual([]);
  }, 30_000);

  it('kills nothing for a page of another site', async () => {
    for (const what of ['redis', 'process/1']) {
      const headers = { 'sec-fetch-site': 'cross-site' };
      const answer = await fetch(`${url}/kill/${what}`, { method: 'POST', headers });
      expect(answer.status).toBe(403);
      await answer.arrayBuffer();
    }
    const answer = await fetch(`${url}/kill/process/9`, { method: 'POST' });
    expect(answer.status).toBe(404);
    await answer.arrayBuffer();
  });

  it.each([
    [1440, 900],
    [390, 844],
  ])(
    'fits into a window of %d x %d, in both colour schemes',
    async (width, height) => {
      const page = await visit();
      await page.setViewportSize({ width, height });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const overflow = await page.evaluate(() => {
          const { scrollWidth } = document.documentElement;
          const parts = [...document.querySelectorAll('.panel, .tile, #behind li')];
          const tooWide = parts.filter((part) => part.scrollWidth > part.clientWidth);
          return { scrollWidth, tooWide: tooWide.map(({ className }) => className) };
        });
        expect(overflow).toEqual({ scrollWidth: width, tooWide: [] });
      }
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  it('ends when it is told to, though streams are open', async () => {
    const page = await visit();
    const ended = once(sample, 'exit');
    sample.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    await state(page, 'Reconnecting');
  }, 20_000);

  /** A tab of its own, with its own session. */
  async function visit(): Promise<Page> {
    const page = await browser.newPage();
    pages.push(page);
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    await page.goto(url);
    await state(page, 'Live');
    await page.locator('#orders tr').first().waitFor();
    return page;
  }

  /** What the page calls the process that it is on, as in its list. */
  async function where(page: Page): Promise<string> {
    const text = (await page.locator('#where').textContent()) ?? '';
    const [, name] = /(process \d)\.$/.exec(text) ?? [];
    expect([text, name]).toEqual([text, expect.any(String)]);
    return name!.replace('p', 'P');
  }

  /** The page has the tab on the process that the tab is on. */
  async function shows(page: Page, tab: Page): Promise<void> {
    const name = await tab.locator('#behind .tabs strong').textContent();
    const line = row(page, await where(tab)).locator('.tabs');
    await line.locator('strong, span', { hasText: name! }).waitFor();
  }

  const row = (page: Page, name: string, isAlive = true) =>
    page.locator(`#behind li[data-alive=${isAlive}]`, { hasText: name });

  const pidOf = (page: Page, name: string) =>
    page.locator('#behind li', { hasText: name }).locator('.pid').textContent();

  const told = (page: Page) => page.locator('#story .what').allTextContents();

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  const kill = (page: Page, name: string) => page.getByRole('button', { name: `Kill ${name}` });

  const state = (page: Page, words: string) =>
    page.locator('#state[role=status]', { hasText: new RegExp(`^\\s*${words}\\s*$`) }).waitFor();

  /** Waits until the page has got so many more events. */
  async function receives(page: Page, more: number): Promise<void> {
    await page.evaluate((count) => {
      const received = document.querySelector('#received')!;
      const wanted = Number(received.textContent) + count;
      return new Promise<void>((resolve) => {
        new MutationObserver((_changes, observer) => {
          if (Number(received.textContent) < wanted) return;
          observer.disconnect();
          resolve();
        }).observe(received, { childList: true });
      });
    }, more);
  }

  /** Every page so far: nothing was lost or duplicated, and nobody had to load the list again. */
  async function areWhole(): Promise<void> {
    for (const page of pages) {
      expect(await page.locator('#check-text').textContent()).toBe(WHOLE);
      expect(await page.locator('#snapshots').textContent()).toBe('1');
      expect(await page.locator('#gaps').textContent()).toBe('0');
    }
  }

  /** With the shop paused for a moment, so that both can come to the same point. */
  async function showTheSame(first: Page, second: Page): Promise<void> {
    await first.getByRole('button', { name: 'Pause the shop' }).click();
    for (const page of [first, second]) {
      await page.locator('#shop', { hasText: 'Resume the shop' }).waitFor();
    }
    // Another process may have been about to change something; then one more change comes.
    while ((await cursor(first)) !== (await cursor(second))) {
      await reaches(first, await cursor(second));
      await reaches(second, await cursor(first));
    }
    expect(await rows(second)).toEqual(await rows(first));
    await first.getByRole('button', { name: 'Resume the shop' }).click();
    await first.locator('#shop', { hasText: 'Pause the shop' }).waitFor();
  }

  const cursor = async (page: Page) => (await page.locator('#cursor').textContent()) ?? '';

  const reaches = (page: Page, wanted: string) =>
    page.waitForFunction((text) => document.querySelector('#cursor')!.textContent >= text, wanted);

  const rows = (page: Page) =>
    page.locator('#orders tr').evaluateAll((all) => all.map((one) => one.textContent));

  /** Chromium reports each stream that was cut; nothing else may be wrong. */
  function otherComplaints(): string[] {
    return complaints.filter((text) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(text));
  }
});
