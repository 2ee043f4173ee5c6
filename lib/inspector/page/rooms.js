// The list of rooms, and what its buttons do.

import { confirmed, fill, find, say } from './elements.js';
import { count, plural, rate } from './format.js';
import { openRoom } from './room-panel.js';
import { rankOfRate, showRows } from './rows.js';
import { post } from './server.js';

const panel = find('rooms');
let shownProcess = '';

export function showRooms({ rooms }, process) {
  shownProcess = process;
  const { count: all, found, list, leftOut } = rooms;
  const others = found < all ? `, ${count(found)} found` : '';
  const cut = leftOut === 0 ? '' : `, the first ${count(list.length)} of them here`;
  panel.querySelector('.note').textContent = count(all) + others + cut;
  const byName = list.map((one) => [JSON.stringify([one.hub, one.name]), one]);
  showRows(panel, 'room-row', byName, fillRoom, (one) => rankOfRate(one.eventsPerSecond));
}

function fillRoom(row, { hub, name, connections, eventsPerSecond }) {
  const texts = { name, readers: count(connections), rate: rate(eventsPerSecond) };
  fill(row, { ...texts, hub: hub === '' ? '' : `hub ${hub}` }, { name });
  row.dataset.readers = connections;
  const [open, close] = row.querySelectorAll('button');
  open.setAttribute('aria-label', `Last events of ${name}`);
  close.hidden = connections === 0;
  close.setAttribute('aria-label', `Close room ${name}`);
}

panel.addEventListener('click', ({ target }) => {
  if (!target.matches('button')) return;
  const { key, readers } = target.closest('tr').dataset;
  const [hub, room] = JSON.parse(key);
  if (target.dataset.action === 'close') void closeRoom(hub, room, Number(readers));
  else openRoom({ hub, room, readers: Number(readers) });
});

async function closeRoom(hub, room, readers) {
  const text =
    `This ends each stream in the room: ${plural(readers, 'reader')} now. ` +
    'Clients come back, unless your app refuses them.';
  if (!(await confirmed({ title: `Close ${room}?`, text, action: 'Close the room' }))) return;
  try {
    const process = shownProcess || '*';
    await post(`/rooms/close?${new URLSearchParams({ hub, room, process })}`);
    say(`Closed room ${room}`);
  } catch (error) {
    say(`Not closed: ${error.message}`);
  }
}
