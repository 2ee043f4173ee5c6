// Every page that people see, in two browsers, light and dark, at four widths.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launchFirefox, type Firefox } from '../support/firefox.js';
import { findProgram } from '../support/processes.js';
import { hasRedis } from '../support/redis-server.js';
import { listWhen, startSamples, type SamplesProcess } from '../support/samples-process.js';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { axeViolations, cutBesideRoom, moving, overflowing, unreachable } from './page-checks.js';

const WIDTHS = [390, 768, 1280, 1920];
const HEIGHT = 900;
/** https://web.dev/articles/cls has 0.1 for good; half of it is ours. */
const MAX_SHIFT = 0.05;
/** How often a page has to change before its shifts are looked at. */
const CHANGES = 40;

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] };

/** The second page of a sample. */
const CHAT = '04-llm-tokens with useChat';

/** The samples, and what else `npm start` shows. */
const NAMES = [
  'the list',
  'the inspector',
  CHAT,
  ...readdirSync(join(import.meta.dirname, '../../sample')).filter((name) => /^\d\d-/.test(name)),
];

/** Pages on which nothing happens until somebody does something. */
const QUIET = [
  '04-llm-tokens',
  CHAT,
  '08-notifications',
  '09-logs',
  '11-chat',
  '12-messages',
  '10-progress',
  '06-counter',
];

const PAGES = NAMES.filter((name) => name !== '03-cluster' || hasRedis);

let samples: SamplesProcess;
let urls: Map<string, string>;

beforeAll(async () => {
  samples = await startSamples();
  const list = await listWhen(
    samples.url,
    ({ cluster }) => !hasRedis || cluster.port !== undefined,
  );
  const url = (port: number | undefined): string => `http://localhost:${port}/`;
  urls = new Map(list.samples.map(({ name, port }) => [name, url(port)]));
  urls.set('the list', `${samples.url}/`);
  urls.set('03-cluster', url(list.cluster.port));
  urls.set('the inspector', `${urls.get('02-orders')}sse-inspector`);
  urls.set(CHAT, `${urls.get('04-llm-tokens')}chat`);
}, 120_000);

afterAll(() => {
  samples?.child.kill('SIGKILL');
});

/** Counts changes and layout shifts from the first moment on. */
function observe(): void {
  const seen = { changes: 0, shift: 0 };
  Object.assign(globalThis, { seen });
  new MutationObserver((records) => (seen.changes += records.length)).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number;
      hadRecentInput: boolean;
    })[])
      if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
}

describeChromium('pages in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser?.close());

  it('has checks that find what is wrong', async () => {
    const page = await browser.newPage({ viewport: { width: 600, height: 400 } });
    await page.setContent(`
      <style>
        td { width: 50%; padding: 0 }
        td div { width: 60px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
        i { position: absolute; animation: a 9s infinite }
        @keyframes a { to { opacity: 0 } }
      </style>
      <i>moves</i>
      <table style="width: 500px"><tr><td><div>a name that is cut</div></td><td>1</td></tr></table>
      <button tabindex="-1">out of reach</button>
      <p style="width: 700px; color: #eee">pale and wide</p>`);
    expect(await page.evaluate(overflowing)).not.toEqual([]);
    expect(await page.evaluate(cutBesideRoom)).toHaveLength(1);
    expect(await page.evaluate(unreachable)).toHaveLength(1);
    expect(await page.evaluate(moving)).toHaveLength(1);
    expect((await violations(page)).join()).toContain('color-contrast');
    await page.close();
  });

  describe.each(PAGES)('%s', (name) => {
    it.each(WIDTHS)(
      'fits at %p px, does not shift, light and dark',
      async (width) => {
        const context = await browser.newContext({ viewport: { width, height: HEIGHT } });
        const page = await context.newPage();
        const complaints: string[] = [];
        page.on('console', (message) => {
          if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
        });
        page.on('pageerror', (error) => complaints.push(String(error)));
        await page.addInitScript(observe);
        await page.goto(urls.get(name)!);
        await isReady(page, name);
        const { shift } = await page.evaluate(
          () => (globalThis as unknown as { seen: { shift: number } }).seen,
        );
        expect(shift).toBeLessThan(MAX_SHIFT);
        expect(await page.evaluate(overflowing)).toEqual([]);
        expect(await page.evaluate(cutBesideRoom)).toEqual([]);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          expect(await page.evaluate(moving)).toEqual([]);
          expect(await violations(page)).toEqual([]);
        }
        expect(await page.evaluate(unreachable)).toEqual([]);
        expect(complaints).toEqual([]);
        await context.close();
      },
      60_000,
    );
  });
});

async function isReady(page: Page, name: string): Promise<void> {
  await page.waitForFunction(() => document.body.dataset['state'] !== 'connecting');
  if (name === CHAT) await page.locator('#question').waitFor();
  if (QUIET.includes(name)) return;
  await page.waitForFunction(
    (changes) => (globalThis as unknown as { seen: { changes: number } }).seen.changes >= changes,
    CHANGES,
  );
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(axeViolations, RULES);
}

/** A function of ours as a script. */
function call(run: (...args: never[]) => unknown, ...args: object[]): string {
  return `(${String(run)})(${args.map((arg) => JSON.stringify(arg)).join()})`;
}

const FIREFOX = ['firefox-esr', 'firefox'].find((name) => findProgram(name) !== undefined);
const describeFirefox =
  FIREFOX === undefined && process.env['CI'] !== 'true' ? describe.skip : describe;

describeFirefox.each([
  ['light', 1],
  ['dark', 0],
])('pages in Firefox, %s', (_scheme, override) => {
  let firefox: Firefox;
  beforeAll(async () => {
    firefox = await launchFirefox(FIREFOX ?? 'firefox', {
      'layout.css.prefers-color-scheme.content-override': override,
      'ui.prefersReducedMotion': 1,
    });
  }, 60_000);
  afterAll(() => firefox?.close());

  it.each(PAGES)(
    '%s',
    async (name) => {
      const tab = await firefox.open();
      await tab.resize(1280, HEIGHT);
      await tab.goto(urls.get(name)!);
      await until('the page has its stream', () =>
        tab.evaluate("document.body.dataset.state !== 'connecting'"),
      );
      if (name === CHAT) {
        await until('the chat is there', () =>
          tab.evaluate("document.querySelector('#question') !== null"),
        );
      }
      for (const width of WIDTHS) {
        await tab.resize(width, HEIGHT);
        expect([width, ...(await tab.evaluate<string[]>(call(overflowing)))]).toEqual([width]);
        expect([width, ...(await tab.evaluate<string[]>(call(cutBesideRoom)))]).toEqual([width]);
      }
      expect(await tab.evaluate<string[]>(call(moving))).toEqual([]);
      const run = `(() => { ${AXE}; return ${call(axeViolations, RULES)}; })()`;
      expect(await tab.evaluate<string[]>(run)).toEqual([]);
      await tab.close();
    },
    60_000,
  );
});
