// From the stream to the page: which rooms, what state, which plot an event belongs to.
import { Card, drawSoon, pausePlots } from './card.js';
import { list, pauseLog } from './log.js';
import { ROOMS } from './rooms.js';
import { find, fromTemplate, make, post } from './shared/elements.js';
import { showState } from './shared/state.js';
import { addState, countEvent, say, showJoin, showLeave, showReturn } from './story.js';
import { timeline } from './timeline.js';

const RATE_WINDOW_MS = 5_000;

const names = ROOMS.map(({ name }) => name);
const colors = new Map(ROOMS.map(({ name, color }) => [name, color]));
const cards = new Map(ROOMS.map((room) => [room.name, new Card(room)]));
const chosen = new Set(roomsOfAddress());
/** Chosen rooms whose state has not come yet. */
const joining = new Set(chosen);
/** When live events came. */
const arrivals = [];

let source;
let lastEventId = '';
/** This connection: as the server calls it, since when on the server's clock and on ours. */
let connection = { id: '', at: 0, since: 0 };
/** How many entries of a state are still to come. */
let coming = 0;
/** A connection that was lost: since when, and the hole in the plots. */
let away;
/** The newest sample, and when something came last. */
let lastAt = 0;
let lastArrival = 0;
let isPaused = false;

for (const { name, title, color } of ROOMS) {
  const toggle = fromTemplate('toggle');
  const box = toggle.querySelector('input');
  box.value = name;
  box.checked = chosen.has(name);
  toggle.dataset.color = color;
  toggle.querySelector('span').textContent = title;
  box.addEventListener('change', () => choose(name, box.checked));
  find('rooms').append(toggle);
  find('cards').append(cards.get(name).element);
}
find('reconnect').addEventListener('click', connect);
find('drop').addEventListener('click', () => void post(`connections/${connection.id}/drop`));
find('pause').addEventListener('click', () => pause(!isPaused));
setInterval(tick, 1_000);
connect();

/** The address of the page remembers the choice, so that it can be kept and sent to somebody. */
function roomsOfAddress() {
  const wanted = new URLSearchParams(location.search).get('rooms');
  return wanted === null ? names : wanted.split(',').filter((name) => names.includes(name));
}

function choose(name, isChosen) {
  for (const rooms of [chosen, joining]) rooms[isChosen ? 'add' : 'delete'](name);
  const isAll = chosen.size === ROOMS.length;
  history.replaceState(null, '', isAll ? location.pathname : `?rooms=${chosenAsText()}`);
  if (!isChosen) showLeave(name);
  connect();
}

function chosenAsText() {
  return names.filter((name) => chosen.has(name)).join(',');
}

function connect() {
  source?.close();
  source = undefined;
  find('final').hidden = true;
  find('drop').disabled = true;
  find('none').hidden = chosen.size > 0;
  for (const [name, { element }] of cards) element.hidden = !chosen.has(name);
  if (chosen.size === 0) {
    find('request').textContent = 'none';
    endAway(timeline.newest);
    say('No room is chosen, so there is no connection.');
    showState('offline');
    return;
  }
  // With its last event ID this page is a returning client and gets what it missed. A room that
  // joins later needs its state, which is older than that ID. Without an ID the server sends the
  // states of all rooms, and this page skips the samples that it has.
  const after = joining.size > 0 ? '' : `&lastEventId=${encodeURIComponent(lastEventId)}`;
  const path = `events?rooms=${chosenAsText()}`;
  find('request').replaceChildren('GET /', ...breakable(path));
  showState('connecting');
  source = new EventSource(path + after);
  listen(source, path);
}

function listen(opened, path) {
  opened.addEventListener('open', () => showState('live'));
  opened.addEventListener('error', () => {
    // It comes back by itself unless the server refused: closing it here would stop that.
    if (opened.readyState === EventSource.CONNECTING) lose();
    else void explainEnd(opened, path);
  });
  opened.addEventListener('connected', ({ data }) => onConnected(JSON.parse(data)));
  opened.addEventListener('sse-state', ({ data }) => {
    coming = JSON.parse(data).entries;
    addState(coming);
  });
  opened.addEventListener('sse-set', (event) => {
    const { room, value } = JSON.parse(event.data);
    receive(event, value.at, room);
    cards.get(room).add(value);
  });
  for (const type of ['sse-gap', 'sse-error']) {
    opened.addEventListener(type, (event) => receive(event));
  }
}

/** The first event of each connection. */
function onConnected({ connection: id, at }) {
  connection = { id, at, since: performance.now() };
  coming = 0;
  arrivals.length = 0;
  find('drop').disabled = false;
  if (away !== undefined) {
    showReturn((performance.now() - away.since) / 1_000);
    endAway(at / 1_000);
  } else if (joining.size > 0) {
    showJoin([...joining], joining.size === chosen.size, at);
  }
}

/** What the library itself says has no time. */
function receive(event, at = lastAt + 1, room = '') {
  const origin = coming > 0 ? 'state' : at > connection.at ? 'live' : 'replayed';
  // The entries of a state have no ID: until all of them are here, the page is where it was.
  if (origin === 'state') coming -= 1;
  else lastEventId = event.lastEventId;
  lastAt = Math.max(lastAt, at);
  lastArrival = performance.now();
  if (origin === 'live') {
    arrivals.push(lastArrival);
    joining.clear();
  }
  countEvent({ origin, room, at });
  list(event, { room, at, origin, color: colors.get(room) ?? 'bad' });
  find('cursor').textContent = lastEventId || 'none yet';
}

/** The browser comes back by itself, with its last event ID. */
function lose() {
  find('drop').disabled = true;
  showState('reconnecting');
  if (away !== undefined) return;
  const hole = { from: lastAt / 1_000 };
  away = { since: performance.now(), hole };
  timeline.away = [...timeline.away.filter(({ until }) => until > timeline.start), hole];
  say('The connection is lost. The browser reconnects by itself.');
}

function endAway(seconds) {
  if (away !== undefined) away.hole.until = seconds;
  away = undefined;
}

/** An EventSource does not tell why it was refused: a second request does. */
async function explainEnd(ended, path) {
  find('drop').disabled = true;
  const asked = new AbortController();
  let state = 'refused';
  let reason;
  try {
    const response = await fetch(path, { signal: asked.signal });
    if (response.ok) state = 'ended';
    reason = response.ok
      ? 'The stream has ended.'
      : `The server refused the stream: ${response.status}, ${(await response.json()).message}.`;
  } catch (error) {
    reason = `The stream has ended: ${error.message}.`;
  }
  asked.abort();
  // By now another choice may have opened another stream.
  if (source !== ended) return;
  showState(state);
  find('final-text').textContent = reason;
  find('final').hidden = false;
}

function pause(shouldPause) {
  isPaused = shouldPause;
  find('pause').textContent = isPaused ? 'Continue' : 'Pause';
  pausePlots(isPaused);
  pauseLog(isPaused);
}

/** A line may end after each room. */
function breakable(path) {
  return path.split(/(?<=[=,])/).flatMap((part) => [part, make('wbr')]);
}

function tick() {
  const now = performance.now();
  const ms = Math.min(now - connection.since, RATE_WINDOW_MS);
  while (arrivals[0] < now - RATE_WINDOW_MS) arrivals.shift();
  if (ms >= 3_000) find('rate').textContent = ((arrivals.length * 1_000) / ms).toFixed(1);
  // The plots go on, so that the hole is to be seen.
  if (away !== undefined) timeline.include((lastAt + now - lastArrival) / 1_000);
  drawSoon();
}
