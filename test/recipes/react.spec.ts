// docs/recipes/react in React's StrictMode, which mounts every component twice in development.
import { expect, it } from '@jest/globals';
import { describeChromium } from '../browser/chromium.js';
import type { recipe as Recipe } from './pages/react.js';
import { untilText, visitor } from './site.js';

declare const recipe: typeof Recipe;

describeChromium('the recipe for React', () => {
  const visit = visitor('react');

  // feature: 92
  it('shows every event of a burst, over one connection', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await page.evaluate(() => recipe.show('/orders'));
    await untilText(page, 'open: ');
    const numbers = Array.from({ length: 200 }, (_, no) => no);
    await Promise.all(numbers.map((no) => emit(no)));
    await untilText(page, `open: ${numbers.join(' ')}`);
    expect(opened).toEqual([undefined]);
    await page.evaluate(() => recipe.unmount());
    await untilOpen(0);
  }, 30_000);
});
