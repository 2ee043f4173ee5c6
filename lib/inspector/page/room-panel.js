// The last events of one room, its entries, and a form for a test event. It reads only while it is
// open.

import { confirmed, fill, find, fromTemplate, say } from './elements.js';
import { bytes, clock, plural } from './format.js';
import { clearEntries, readEntries } from './room-entries.js';
import { getJson, post } from './server.js';

const INTERVAL_MS = 1_000;
const MAX_SHOWN = 100;

const dialog = find('room');
const list = find('room-events');
let opened;

export function openRoom(room) {
  opened = { ...room, after: undefined };
  find('room-title').textContent = room.room;
  find('room-note').textContent =
    (room.hub === '' ? '' : `hub ${room.hub}, `) + plural(room.readers, 'reader');
  list.replaceChildren();
  clearEntries();
  tell('Reading…');
  dialog.showModal();
  void readOn(opened);
}

find('room-close').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => (opened = undefined));

async function readOn(room) {
  for (;;) {
    try {
      const { hub, room: name, after } = room;
      const query = new URLSearchParams({ hub, room: name });
      if (after !== undefined) query.set('after', after);
      const look = await getJson(`/rooms/events?${query}`);
      if (opened !== room) return;
      if (!look.isKept) return tell('This hub keeps no history, so its events cannot be shown.');
      add(look.events);
      room.after = look.cursor;
      tell(list.children.length === 0 ? 'No event of this room is kept.' : '');
      const follows = isAtEnd();
      await readEntries(room, look, () => opened === room);
      // The first entries take space from the events.
      if (follows) toEnd();
    } catch (error) {
      tell(`Not read: ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    if (opened !== room) return;
  }
}

function tell(text) {
  find('room-empty').textContent = text;
  find('room-empty').hidden = text === '';
}

/** The newest are at the end, and stay in view unless somebody has scrolled away from them. */
function add(events) {
  const follows = isAtEnd();
  const known = new Set([...list.children].map((item) => item.dataset.key));
  const added = events.filter(({ id }) => !known.has(id));
  for (const { id, type, at, bytes: size, data } of added) {
    const item = fromTemplate('event');
    item.dataset.key = id;
    item.querySelector('time').textContent = clock(at);
    fill(item, { type: type ?? 'message', size: bytes(size), id, data }, { id });
    list.append(item);
    // Long data is scrolled by keyboard, too.
    const text = item.querySelector('pre');
    if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
  }
  while (list.children.length > MAX_SHOWN) list.firstElementChild.remove();
  if (added.length > 0 && follows) toEnd();
}

const region = list.parentElement;
const isAtEnd = () => region.scrollHeight - region.scrollTop - region.clientHeight < 40;
const toEnd = () => (region.scrollTop = region.scrollHeight);

// A test event

const form = find('test');
form.hidden = !document.documentElement.hasAttribute('data-test-events');

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  void send(opened);
});

async function send({ hub, room, readers }) {
  const type = find('test-type').value.trim();
  const data = dataFrom(find('test-data').value);
  const kind = typeof data === 'string' ? 'text' : 'JSON';
  const text =
    `This is a real event: every reader of the room gets it (${plural(readers, 'reader')} now), ` +
    `in every process, and returning clients too. Its data is sent as ${kind}.`;
  const title = `Send ${type || 'message'} to ${room}?`;
  if (!(await confirmed({ title, text, action: 'Send the event' }))) return;
  try {
    const body = type === '' ? { data } : { type, data };
    await post(`/rooms/emit?${new URLSearchParams({ hub, room })}`, body);
    say(`Sent to ${room}`);
  } catch (error) {
    say(`Not sent: ${error.message}`);
  }
}

/** JSON where it is JSON, else text. */
function dataFrom(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
