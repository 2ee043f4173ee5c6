// docs/recipes/vue
import { expect, it } from '@jest/globals';
import { describeChromium } from '../browser/chromium.js';
import type { recipe as Recipe } from './pages/vue.js';
import { untilText, visitor } from './site.js';

declare const recipe: typeof Recipe;

describeChromium('the recipe for Vue', () => {
  const visit = visitor('vue');

  // feature: 92
  it('reads one stream for all components, says what a new URL misses, and closes with the last', async () => {
    const { open, emit, untilOpen, opened } = await visit();
    const page = await open();
    await untilText(page, 'open: ;open: ;');
    await emit(1);
    await untilText(page, 'open: 1;open: 1;');
    expect(opened).toEqual([undefined]);
    await page.evaluate(() => recipe.show('/orders?rooms=orders,returns'));
    await untilText(page, 'open: 1 gap;open: 1 gap;');
    await emit(2, 'returns');
    await untilText(page, 'open: 1 gap 2;open: 1 gap 2;');
    await untilOpen(1);
    expect(opened).toEqual([undefined, undefined]);
    await page.evaluate(() => recipe.unmount());
    await untilOpen(0);
  }, 30_000);
});
