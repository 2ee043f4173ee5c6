// Lists whose rows stay where they are as long as that is possible.

import { fromTemplate } from './elements.js';

const SORT_EVERY_MS = 10_000;
export const URGENT = 1_000;

const pointer = matchMedia('(hover: hover)');
/** By list: when it was sorted, what was urgent then, and whether it is held. */
const memories = new WeakMap();

/**
 * Or a row would slip away under the pointer, and another stream than the one that was meant would
 * be closed.
 */
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
 * not with each figure, or nobody could read it: by `rankOf`, and rows of one rank stay in their
 * order. What gets to the rank `URGENT` moves at once.
 */
export function showRows(panel, template, items, fillRow, rankOf) {
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
  const ranks = new Map(items.map(([key, item]) => [key, rankOf(item)]));
  const urgent = [...ranks].filter(([, rank]) => rank >= URGENT).map(([key]) => key);
  const before = memories.get(list);
  const isDue = before?.held !== false || performance.now() - before.sortedAt > SORT_EVERY_MS;
  const hasUrgent = urgent.some((key) => !before?.urgent.has(key));
  if (!held) {
    const ordered = inOrder(list, rows, before === undefined);
    if (isDue) sortBy(ordered, (key) => ranks.get(key));
    else if (hasUrgent) sortBy(ordered, (key) => (ranks.get(key) >= URGENT ? ranks.get(key) : 0));
    place(list, ordered);
  }
  memories.set(list, {
    sortedAt: isDue && !held ? performance.now() : (before?.sortedAt ?? 0),
    urgent: held ? (before?.urgent ?? new Set()) : new Set(urgent),
    held,
  });
  panel.querySelector('.empty').hidden = list.children.length > 0;
}

/** What is new comes behind the others; at first, all are in the order of the server. */
function inOrder(list, rows, isFirst) {
  if (isFirst) return rows;
  const present = new Set(list.children);
  return [...present, ...rows.filter((row) => !present.has(row))];
}

function sortBy(rows, rankOf) {
  rows.sort((one, other) => rankOf(other.dataset.key) - rankOf(one.dataset.key));
}

function place(list, rows) {
  rows.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
}

/** For figures: only a change that matters is another rank. */
export const rankOfRate = (value) => Math.round(Math.log2(1 + value));
