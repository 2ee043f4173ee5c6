// docs/recipes/vue
import { expect, it } from '@jest/globals';
import { describeChromium } from '../browser/chromium.js';
import type { recipe as Recipe } from './pages/vue.js';
import { untilText, visitor } from './site.js';

declare const recipe: typeof Recipe;

describeChromium('the recipe for Vue', () => {
  const visit = visitor('vue');

  // feature: 92
  it('reads one stream, goes on when its URL changes, and closes it with the component', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await untilText(page, 'open: ');
    const cursor = await emit(1);
    await untilText(page, 'open: 1');
    await emit(2, 'returns');
    await page.evaluate(() => recipe.show('/orders?rooms=orders,returns'));
    await untilText(page, 'open: 1 2');
    await untilOpen(1);
    expect(opened).toEqual([undefined, cursor]);
    await page.evaluate(() => recipe.unmount());
    await untilOpen(0, 1_000);
  }, 30_000);
});
