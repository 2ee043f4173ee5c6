// Lists whose rows stay where they are as long as that is possible.

import { fromTemplate } from './elements.js';

const SORT_EVERY_MS = 10_000;

const pointer = matchMedia('(hover: hover)');
/** By list: when it was sorted, what was urgent then, and whether it is held. */
const memories = new WeakMap();

/** Or a row would slip away under the pointer, and another stream than the one that was meant would be closed. */
function isHeld(list) {
  return (
    (pointer.matches && list.matches('tbody:hover')) || list.matches('tbody:has(:focus-visible)')
  );
}

/** The next state is shown in its own order. */
export function sortAnew(panel) {
  memories.delete(panel.querySelector('tbody, ol'));
}

/**
 * Rows stay the same elements, so that focus and selection survive. A list is sorted now and then,
 * not with each figure, or nobody could read it; what is `urgent` moves at once.
 */
export function showRows(panel, template, items, fillRow, isUrgent = () => false) {
  const list = panel.querySelector('tbody, ol');
  const held = isHeld(list);
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = [];
  for (const [key, item] of items) {
    const row = known.get(key) ?? fromTemplate(template);
    if (held && !known.has(key)) continue;
    known.delete(key);
    row.dataset.key = key;
    delete row.dataset.gone;
    fillRow(row, item);
    rows.push(row);
  }
  for (const row of known.values()) {
    if (held) row.dataset.gone = '';
    else row.remove();
  }
  const urgent = JSON.stringify(
    items
      .filter(([, item]) => isUrgent(item))
      .map(([key]) => key)
      .sort(),
  );
  const before = memories.get(list);
  const isDue =
    before === undefined ||
    before.held ||
    before.urgent !== urgent ||
    performance.now() - before.sortedAt > SORT_EVERY_MS;
  const sorts = isDue && !held;
  if (!held) place(list, rows, sorts);
  const sortedAt = sorts ? performance.now() : (before?.sortedAt ?? 0);
  memories.set(list, { sortedAt, urgent: sorts ? urgent : (before?.urgent ?? urgent), held });
  panel.querySelector('.empty').hidden = list.children.length > 0;
}

/** Sorted, or what is new behind the others. */
function place(list, rows, sorts) {
  const present = new Set(list.children);
  const ordered = sorts ? rows : [...present, ...rows.filter((row) => !present.has(row))];
  ordered.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
}
