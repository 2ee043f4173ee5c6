import { timeOf } from './shared/elements.js';
import { find, make, openStream, post } from './shared/stream.js';

const SHOWN = 50;
const tabs = [...document.querySelectorAll('[data-room]')];

const NAMES = ['Ann', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hana'];

let source;
/** The room that is shown, and those that the stream has. */
let room = 'lobby';
let rooms = [];
let token;
/** Who is there. A new list takes the place of the old one when it is complete. */
let there = new Set();
let coming = { members: new Set(), left: 0 };

for (const tab of tabs) tab.addEventListener('click', () => enter(tab.dataset.room));
find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void say(event.target.elements);
});
find('form').elements.name.addEventListener('change', open);
find('form').elements.name.value = NAMES[Math.floor(Math.random() * NAMES.length)];
open();

/** A stream as somebody else is another stream. */
function open() {
  source?.close();
  token = undefined;
  clear();
  const own = encodeURIComponent(find('form').elements.name.value);
  source = openStream(`rooms/${room}?name=${own}`, {
    said: ({ data }) => show(JSON.parse(data)),
    'sse-open': ({ data }) => moveOn(JSON.parse(data)),
    'sse-rooms': ({ data }) => moveOn(JSON.parse(data)),
    'sse-state': ({ data }) => begin(JSON.parse(data)),
    'sse-set': ({ data }) => add(JSON.parse(data)),
    'sse-delete': ({ data }) => remove(JSON.parse(data)),
  });
  source.addEventListener('error', () => {
    coming.left = 0;
    token = undefined;
  });
}

/** Another room on the same stream. */
function enter(name) {
  if (name === room) return;
  room = name;
  clear();
  void move();
}

function clear() {
  find('said').replaceChildren();
  for (const tab of tabs) tab.ariaPressed = String(tab.dataset.room === room);
  there = new Set();
  showThere();
}

/** The token is of this connection. The rooms are those that the stream has from here on. */
function moveOn(told) {
  token = told.stream ?? token;
  rooms = told.rooms;
  void move();
}

async function move() {
  const leave = rooms.filter((other) => other !== room);
  if (token === undefined || (leave.length === 0 && rooms.includes(room))) return;
  await post('rooms', { stream: token, join: [room], leave });
}

const isShown = (roster) => roster === `sse:presence:${room}`;

function begin({ rooms: [roster], entries: left }) {
  if (!isShown(roster)) return;
  coming = { members: new Set(), left };
  if (left === 0) there = coming.members;
  showThere();
}

function add({ room: roster, key: member }) {
  if (!isShown(roster)) return;
  if (coming.left === 0) there.add(member);
  else coming.members.add(member);
  if (coming.left > 0 && --coming.left === 0) there = coming.members;
  showThere();
}

function remove({ room: roster, key: member }) {
  if (!isShown(roster)) return;
  there.delete(member);
  showThere();
}

function showThere() {
  find('there').textContent =
    [...there].sort((one, other) => one.localeCompare(other)).join(', ') || 'nobody yet';
}

async function say({ name, text }) {
  const answer = await post(`rooms/${room}`, { name: name.value, text: text.value });
  if (answer !== undefined) text.value = '';
}

function show({ room: of, name, text, at }) {
  if (of !== room) return;
  const isOwn = name === find('form').elements.name.value;
  const entry = make('li', isOwn ? 'own' : '');
  entry.append(make('span', 'who', `${name}, ${timeOf(at)}`), text);
  find('said').append(entry);
  while (find('said').children.length > SHOWN) find('said').firstElementChild.remove();
  find('said').scrollTop = find('said').scrollHeight;
}
