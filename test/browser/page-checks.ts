// Checks of a page, in any browser. Each function runs in the page.
import type axe from 'axe-core';

/** What reaches beyond the right edge of the window. */
export function overflowing(): string[] {
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const wide = [...document.querySelectorAll('body *')].filter(
    (element) => element.getBoundingClientRect().right > clientWidth + 1,
  );
  return [
    `${scrollWidth} px of ${clientWidth}`,
    ...wide.slice(-3).map((one) => one.outerHTML.slice(0, 120)),
  ];
}

/** Text that is cut with an ellipsis while its row has room for it. */
export function cutBesideRoom(): string[] {
  const ENOUGH = 24;
  const widthOf = (element: Element): number => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect().width;
  };
  const isCut = (element: Element): boolean =>
    element.scrollWidth > element.clientWidth + 1 &&
    getComputedStyle(element).textOverflow === 'ellipsis' &&
    element.getClientRects().length > 0;
  const found: string[] = [];
  for (const element of [...document.querySelectorAll('body *')].filter(isCut)) {
    const cell = element.closest('td, th');
    const row = cell?.closest('tr');
    if (!cell || !row) continue;
    const { top, bottom } = cell.getBoundingClientRect();
    const missing = element.scrollWidth - element.clientWidth;
    const spare = [...row.children]
      .filter((other) => {
        const rect = other.getBoundingClientRect();
        // A row may be a grid of several lines.
        return other !== cell && rect.top < bottom && rect.bottom > top;
      })
      .map((other) => {
        const { paddingLeft, paddingRight } = getComputedStyle(other);
        return (
          other.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - widthOf(other)
        );
      })
      .reduce((sum, room) => sum + Math.max(0, room - ENOUGH), 0);
    if (spare > missing)
      found.push(`${element.textContent?.trim()}: ${spare} px are free beside it`);
  }
  return found;
}

/** Controls that the Tab key cannot reach. */
export function unreachable(): string[] {
  const controls = document.querySelectorAll<HTMLElement>(
    'a[href], button, input, select, textarea, summary, [onclick], [role=button]',
  );
  return [...controls]
    .filter((one) => one.checkVisibility() && one.tabIndex < 0 && !one.closest('[inert]'))
    .map((one) => one.outerHTML.slice(0, 120));
}

/** Animations that run although the reader asked for none. */
export function moving(): string[] {
  return document
    .getAnimations()
    .filter(({ playState, effect }) => {
      const { duration } = effect?.getComputedTiming() ?? {};
      return playState === 'running' && Number(duration) > 1;
    })
    .map(
      (animation) =>
        `${animation.constructor.name} of ${(animation.effect as KeyframeEffect).target?.outerHTML.slice(0, 80)}`,
    );
}

/** WCAG 2.1 AA as far as axe, which the page has to have, can see it: contrast, names, roles. */
export async function axeViolations(options: axe.RunOptions): Promise<string[]> {
  const loaded = (globalThis as unknown as { axe: typeof axe }).axe;
  const { violations } = await loaded.run(document, options);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)}: ${failureSummary}`),
  );
}
