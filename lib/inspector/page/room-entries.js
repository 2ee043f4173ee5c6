// The entries of the room whose panel is open. All of them are read at once, so they are read only
// after a change, and those of a large room not every second.

import { fill, find, fromTemplate, write } from './elements.js';
import { bytes, clock, count } from './format.js';
import { getJson } from './server.js';

const LARGE = 1_000;
const LARGE_INTERVAL_MS = 5_000;

const heading = find('room-entries-heading');
const list = find('room-entries');

/** Hides them until the room is known to have some. */
export function clearEntries() {
  list.replaceChildren();
  heading.hidden = list.parentElement.hidden = true;
}

/** Reads them if this look at the events, or one before, says that they may have changed. */
export async function readEntries(room, { at, entriesChanged }, isOpen) {
  room.hasChanges ||= entriesChanged;
  const { hub, room: name, entries, nextReadAt = 0 } = room;
  if (room.hasChanges) {
    if (performance.now() < nextReadAt) return;
    const read = await getJson(`/rooms/entries?${new URLSearchParams({ hub, room: name })}`);
    if (!isOpen()) return;
    const pause = read.count > LARGE ? LARGE_INTERVAL_MS : 0;
    Object.assign(room, {
      hasChanges: false,
      entries: read,
      nextReadAt: performance.now() + pause,
    });
    show(read);
  } else if (entries !== undefined) {
    tell(entries.count, entries.list.length, at);
  }
}

function show({ at, count: all, list: shown }) {
  if (all === 0 && list.parentElement.hidden) return;
  heading.hidden = list.parentElement.hidden = false;
  tell(all, shown.length, at);
  find('room-no-entry').hidden = all > 0 || list.children.length > 0;
  const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const added = shown.filter((entry) => {
    const row = rows.get(entry.key);
    rows.delete(entry.key);
    if (row !== undefined) fillEntry(row, entry);
    return row === undefined;
  });
  for (const row of rows.values()) {
    row.dataset.gone = '';
    write(row.querySelector('time'), 'gone');
  }
  // Rows stay where they are. A new entry takes the row of one that is gone, unless somebody reads
  // that one, or else it comes last.
  const free = [...rows.values()].filter(
    (row) => !row.firstElementChild.open && !row.contains(document.activeElement),
  );
  for (const entry of added) {
    const row = free.shift() ?? fromTemplate('entry');
    if (row.parentElement === null) list.append(row);
    fillEntry(row, entry);
  }
}

function tell(all, listed, at) {
  const cut = listed < all ? `, the ${count(listed)} changed last are listed` : '';
  write(find('room-entries-note'), `${count(all)}${cut}, as of ${clock(at)}`);
}

function fillEntry(row, { key, position, at, bytes: size, value }) {
  row.dataset.key = key;
  delete row.dataset.gone;
  write(row.querySelector('time'), clock(at));
  const texts = { key, start: value.slice(0, 200), size: bytes(size), position, value };
  fill(row, texts, { key, position });
}
