// docs/recipes/tabs: pages of one browser, with a SharedWorker and where there is none.
import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeChromium } from '../browser/chromium.js';
import type { recipe as Recipe } from './pages/tabs.js';
import { untilText, visitor, type Visit } from './site.js';

declare const recipe: typeof Recipe;

const WAYS: [string, (visit: Visit) => Promise<unknown>][] = [
  ['a SharedWorker', async () => {}],
  [
    'a lock, where there is no SharedWorker',
    ({ context }) =>
      context.addInitScript(() => void Reflect.deleteProperty(globalThis, 'SharedWorker')),
  ],
];

describeChromium('the recipe for tabs', () => {
  const start = visitor('tabs');

  describe.each(WAYS)('with %s', (_name, prepare) => {
    /** Three pages, each of which listens. */
    const visit = async (): Promise<Visit & { pages: [Page, Page, Page] }> => {
      const world = await start();
      await prepare(world);
      const first = await world.open();
      await world.untilOpen(1);
      const pages: [Page, Page, Page] = [first, await world.open(), await world.open()];
      for (const page of pages) {
        await page.waitForFunction(() => 'recipe' in globalThis);
      }
      return { ...world, pages };
    };

    // feature: 98
    it('gives every page all events in order, over one connection', async () => {
      const { pages, emit, opened } = await visit();
      const numbers = Array.from({ length: 100 }, (_, no) => no);
      await Promise.all(numbers.map((no) => emit(no)));
      for (const page of pages) await untilText(page, numbers.join(' '));
      expect(opened).toEqual([undefined]);
    }, 30_000);

    it('goes on for the others when a page is closed, and misses nothing', async () => {
      const { pages, emit, untilOpen, connections } = await visit();
      const [first, second, third] = pages;
      await emit(1);
      for (const page of pages) await untilText(page, '1');
      await first.close();
      await emit(2);
      await emit(3);
      for (const page of [second, third]) await untilText(page, '1 2 3');
      await untilOpen(1);
      expect(connections.count).toBe(1);
    }, 30_000);

    it('gives a page that has left nothing more', async () => {
      const { pages, emit } = await visit();
      const [first, second] = pages;
      await second.evaluate(() => recipe.leave());
      await emit(1);
      await untilText(first, '1');
      expect(await second.textContent('#app')).toBe('');
    }, 30_000);

    it('closes the connection with the last page', async () => {
      const { pages, untilOpen, connections } = await visit();
      await Promise.all(pages.map((page) => page.close()));
      await untilOpen(0);
      expect(connections.count).toBe(0);
    }, 30_000);

    it('tells the pages that it was refused, and the next page tries again', async () => {
      const world = await start();
      await prepare(world);
      const cookie = { name: 'refused', value: 'yes', url: world.url };
      await world.context.addCookies([cookie]);
      const first = await world.open();
      await first.waitForFunction(() => recipe.states.includes('closed 401'));
      await world.context.clearCookies();
      const second = await world.open();
      await world.untilOpen(1);
      await world.emit(1);
      for (const page of [first, second]) await untilText(page, '1');
      expect(world.opened).toEqual([undefined]);
    }, 30_000);
  });
});
