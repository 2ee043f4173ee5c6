// What is notable, what was counted, and the hubs whose events do not arrive.

import { fill, find, fromTemplate, write } from './elements.js';
import { clock, count } from './format.js';
import { showRows, URGENT } from './rows.js';

export function showNotes({ notes, processes }) {
  const panel = find('notes');
  write(panel.querySelector('.note'), `since ${clock(notes.since)}`);
  const pids = new Map(
    processes.map(({ id, pid }) => [id, processes.length > 1 ? `pid ${pid}` : '']),
  );
  const byText = notes.list.map((one) => [
    JSON.stringify([one.kind, one.text, one.connection, one.process]),
    one,
  ]);
  // What is new comes on top at once; what happens again is counted where it stands.
  const fillRow = (row, one) => fillNote(row, one, pids.get(one.process) ?? '');
  showRows(panel, 'note', byText, fillRow, (one) => URGENT + firstSeen(one));
}

/** When the page saw each note first. */
const seen = new Map();

function firstSeen({ at, kind, text, connection, process }) {
  const key = JSON.stringify([kind, text, connection, process]);
  if (seen.size > 1_000) seen.clear();
  if (!seen.has(key)) seen.set(key, at);
  return seen.get(key);
}

function fillNote(row, { at, kind, text, connection, times }, process) {
  write(row.querySelector('time'), clock(at));
  row.dataset.kind = kind;
  const texts = { kind, text, connection: connection?.slice(0, 8) ?? '', process };
  fill(row, { ...texts, times: times > 1 ? `× ${count(times)}` : '' }, { text });
}

export function showCounts({ traffic }) {
  const { since, total, closes, refusals, gaps } = traffic;
  write(find('counts').querySelector('.note'), `since ${clock(since)}`);
  const byReason = (what, counts) =>
    Object.entries(counts)
      .sort(([, one], [, other]) => other - one)
      .map(([reason, times]) => [`${what}: ${reason}`, times]);
  const lines = [
    ['Events replayed', total.replayed],
    ['Events dropped', total.dropped],
    ...byReason('Closed', closes),
    ...byReason('Refused', refusals),
    ...byReason('Gap', gaps),
  ];
  const list = find('counts').querySelector('dl');
  while (list.children.length > lines.length) list.lastElementChild.remove();
  while (list.children.length < lines.length) list.append(fromTemplate('count'));
  lines.forEach(([name, times], index) => {
    write(list.children[index].querySelector('dt'), name);
    write(list.children[index].querySelector('dd'), count(times));
  });
}

export function showTroubles({ hubs }) {
  const lines = hubs
    .filter(({ trouble }) => trouble !== null)
    .map(({ name, trouble }) => `${name === '' ? 'The default hub' : `Hub ${name}`}: ${trouble}`);
  const list = find('troubles');
  list.hidden = lines.length === 0;
  // An alert is read out when it changes.
  if (list.textContent === lines.join('')) return;
  list.replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement('li');
      item.textContent = line;
      return item;
    }),
  );
}
