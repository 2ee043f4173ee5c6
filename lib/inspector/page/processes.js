// The processes of the app; one of them may be chosen.

import { fill, find, fromTemplate } from './elements.js';
import { bytes, count, duration, rate } from './format.js';

const panel = find('processes');
const list = panel.querySelector('ul');
let choose = () => {};

export function onProcess(listener) {
  choose = listener;
}

/** Without a log in common there are no others. */
export function showProcesses({ at, process, processes, isShared }, chosen) {
  panel.hidden = !isShared;
  if (panel.hidden) return;
  const live = processes.filter(({ isGone }) => !isGone);
  const gone = processes.length - live.length;
  panel.querySelector('.note').textContent =
    `${count(live.length)} live` +
    (gone > 0 ? `, ${count(gone)} gone` : '') +
    ': connections and events/s';
  const sum = (name) => live.reduce((total, one) => total + one[name], 0);
  const all = {
    name: 'All processes',
    note: '',
    figures: figuresOf(
      sum('open'),
      sum('blocked'),
      sum('bufferedBytes'),
      sum('deliveredPerSecond'),
    ),
  };
  const items = [['', all], ...processes.map((one) => [one.id, itemOf(one, at, process.id)])];
  const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
  items.forEach(([key, { name, note, figures, isBad = false }], index) => {
    const item = known.get(key) ?? fromTemplate('process-item');
    known.delete(key);
    item.dataset.key = key;
    fill(item, { name, note, figures }, { name: `${name}, ${note}`, figures: `${figures} events` });
    item.toggleAttribute('data-bad', isBad);
    item.querySelector('button').setAttribute('aria-pressed', String(key === chosen));
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const item of known.values()) item.remove();
}

/** Bytes wait for those alone that are blocked. */
const figuresOf = (open, blocked, waiting, delivered) =>
  `${count(open)} open · ${rate(delivered)}/s` +
  (blocked > 0 ? ` · ${count(blocked)} blocked, ${bytes(waiting)}` : '');

function itemOf(one, at, answering) {
  const { id, host, pid, isGone, heardAt, trouble } = one;
  const age = duration(at - heardAt);
  const note = isGone
    ? `gone, last heard ${age} ago`
    : (trouble ?? (id === answering ? 'answers this page' : `heard ${age} ago`));
  const { open, blocked, bufferedBytes, deliveredPerSecond } = one;
  return {
    name: `${host} · ${pid}`,
    note,
    figures: figuresOf(open, blocked, bufferedBytes, deliveredPerSecond),
    isBad: isGone || trouble !== null,
  };
}

list.addEventListener('click', ({ target }) => {
  const item = target.closest('li');
  if (item !== null && target.closest('button') !== null) choose(item.dataset.key);
});
