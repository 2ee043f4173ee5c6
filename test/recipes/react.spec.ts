// docs/recipes/react in React's StrictMode, which mounts every component twice in development.
import { expect, it } from '@jest/globals';
import { describeChromium } from '../browser/chromium.js';
import type { recipe as Recipe } from './pages/react.js';
import { untilText, visitor } from './site.js';

declare const recipe: typeof Recipe;

describeChromium('the recipe for React', () => {
  const visit = visitor('react');

  // feature: 92
  it('opens one connection, however often the component is mounted and rendered', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    expect(await page.evaluate(() => recipe.mounts)).toBe(2);
    await emit(1);
    await page.evaluate(() => recipe.show('/orders'));
    await emit(2);
    await untilText(page, 'open: 1 2');
    await untilOpen(1);
    expect(opened).toEqual([undefined]);
  }, 30_000);

  it('shows every event of a burst', async () => {
    const { open, emit } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    const numbers = Array.from({ length: 200 }, (_, no) => no);
    await Promise.all(numbers.map((no) => emit(no)));
    const all = `open: ${numbers.join(' ')}`;
    await untilText(page, all);
    expect(await page.textContent('#app')).toBe(all);
  }, 30_000);

  // feature: 92
  it('closes the connection when the component goes', async () => {
    const { open, untilOpen, connections } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    await page.evaluate(() => recipe.unmount());
    await untilOpen(0, 1_000);
    expect(connections.count).toBe(0);
  }, 30_000);

  it('goes on after the last event when other rooms are shown', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    const cursor = await emit(1);
    await untilText(page, 'open: 1');
    await emit(2, 'returns');
    await page.evaluate(() => recipe.show('/orders?rooms=orders,returns'));
    await untilText(page, 'open: 1 2');
    await emit(3, 'returns');
    await untilText(page, 'open: 1 2 3');
    await untilOpen(1);
    expect(opened).toEqual([undefined, cursor]);
  }, 30_000);

  it('is closed while the component is hidden, and misses nothing', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    const cursor = await emit(1);
    await untilText(page, 'open: 1');
    await page.evaluate(() => recipe.show('/orders', 'hidden'));
    await untilOpen(0);
    await emit(2);
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: 1 2');
    await untilOpen(1);
    expect(opened).toEqual([undefined, cursor]);
  }, 30_000);

  // feature: 92
  it('as a plain effect opens one connection too, and closes it', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.showPlain());
    await untilOpen(1);
    await emit(1);
    await emit(2);
    await untilText(page, '1 2');
    expect(opened).toEqual([undefined]);
    await page.evaluate(() => recipe.unmount());
    await untilOpen(0, 1_000);
  }, 30_000);
});
