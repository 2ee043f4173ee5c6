// From the stream to the page: which rooms, what state, which card an event belongs to.
import { Card, timeOf } from './card.js';
import { ROOMS } from './rooms.js';

const MAX_LISTED = 40;
const RATE_WINDOW_MS = 5_000;

const STATES = {
  connecting: 'Connecting',
  open: 'Open',
  reconnecting: 'Reconnecting',
  closed: 'Closed',
  idle: 'No room chosen',
};

const find = (id) => document.getElementById(id);
const fromTemplate = (id) => find(id).content.firstElementChild.cloneNode(true);
const cards = new Map(ROOMS.map((room) => [room.name, new Card(room)]));
const chosen = new Set(roomsOfAddress());
const arrivals = [];

let source;
let lastEventId = '';
let received = 0;
let isPaused = false;

for (const { name, title } of ROOMS) {
  const toggle = fromTemplate('toggle');
  const box = toggle.querySelector('input');
  box.value = name;
  box.checked = chosen.has(name);
  toggle.querySelector('span').textContent = title;
  box.addEventListener('change', () => choose(name, box.checked));
  find('rooms').append(toggle);
  cards.get(name).element.hidden = !box.checked;
  find('cards').append(cards.get(name).element);
}
find('reconnect').addEventListener('click', connect);
find('pause').addEventListener('click', () => pause(!isPaused));
setInterval(showRate, 1_000);
connect();

/** The address of the page remembers the choice, so that it can be kept and sent to somebody. */
function roomsOfAddress() {
  const names = ROOMS.map(({ name }) => name);
  const wanted = new URLSearchParams(location.search).get('rooms');
  return wanted === null ? names : wanted.split(',').filter((name) => names.includes(name));
}

function choose(name, isChosen) {
  if (isChosen) chosen.add(name);
  else chosen.delete(name);
  cards.get(name).element.hidden = !isChosen;
  const isAll = chosen.size === ROOMS.length;
  history.replaceState(null, '', isAll ? location.pathname : `?rooms=${chosenAsText()}`);
  connect();
}

function chosenAsText() {
  const names = ROOMS.map(({ name }) => name).filter((name) => chosen.has(name));
  return names.join(',');
}

function connect() {
  source?.close();
  source = undefined;
  find('final').hidden = true;
  if (chosen.size === 0) {
    find('request').textContent = 'none';
    return show('idle');
  }
  // A new EventSource does not know where the last one stood.
  const after = lastEventId && `&lastEventId=${encodeURIComponent(lastEventId)}`;
  const path = `events?rooms=${chosenAsText()}`;
  find('request').replaceChildren('GET /', ...breakable(path));
  show('connecting');

  const opened = (source = new EventSource(path + after));
  source.addEventListener('open', () => show('open'));
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused: closing it here would stop that.
    if (opened.readyState === EventSource.CONNECTING) show('reconnecting');
    else void explainEnd(opened, path);
  });
  for (const name of chosen) source.addEventListener(name, receive);
  source.addEventListener('unavailable', (event) => {
    const { room, reason } = receive(event);
    cards.get(room)?.unavailable(reason);
  });
  for (const type of ['sse-gap', 'sse-error']) source.addEventListener(type, receive);
}

function receive(event) {
  const data = JSON.parse(event.data);
  received += 1;
  lastEventId = event.lastEventId;
  arrivals.push(performance.now());
  if (!isPaused) list(event, data);
  find('received').textContent = received.toLocaleString();
  find('cursor').textContent = lastEventId || 'none yet';
  if (data.at !== undefined) cards.get(event.type)?.add(data);
  return data;
}

/** A line may end after each room. */
function breakable(path) {
  const parts = path.split(/(?<=[=,])/);
  return parts.flatMap((part) => [part, document.createElement('wbr')]);
}

/** An EventSource does not tell why it was refused: a second request does. */
async function explainEnd(ended, path) {
  show('closed');
  const asked = new AbortController();
  let reason;
  try {
    const response = await fetch(path, { signal: asked.signal });
    reason = response.ok
      ? 'The stream has ended, and the server would answer again.'
      : `The server refused the stream: ${response.status}, ${(await response.json()).message}.`;
  } catch (error) {
    reason = `The stream has ended: ${error.message}.`;
  }
  asked.abort();
  // Meanwhile another choice may have opened another stream.
  if (source !== ended) return;
  find('final-text').textContent = reason;
  find('final').hidden = false;
}

function show(state) {
  find('state').dataset.state = state;
  find('state-text').textContent = STATES[state];
  document.body.dataset.state = state;
}

function pause(shouldPause) {
  isPaused = shouldPause;
  find('pause').textContent = isPaused ? 'Go on' : 'Pause';
  for (const card of cards.values()) {
    card.isPaused = isPaused;
    card.draw();
  }
}

function list(event, data) {
  const entry = fromTemplate('event');
  entry.querySelector('time').textContent = timeOf(data.at ?? Date.now());
  entry.querySelector('.type').textContent = event.type;
  entry.querySelector('.data').textContent = event.data;
  const events = find('events');
  events.prepend(entry);
  while (events.children.length > MAX_LISTED) events.lastElementChild.remove();
}

function showRate() {
  const now = performance.now();
  while (arrivals.length > 0 && arrivals[0] < now - RATE_WINDOW_MS) arrivals.shift();
  find('rate').textContent = ((arrivals.length * 1_000) / Math.min(now, RATE_WINDOW_MS)).toFixed(1);
}
