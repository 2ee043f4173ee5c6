// From the stream to the page: which rooms, what state, which plot an event belongs to.
import { Card, drawSoon, pausePlots } from './card.js';
import { list, pauseLog } from './log.js';
import { ROOMS } from './rooms.js';
import { find, fromTemplate, make, post } from './shared/elements.js';
import { showState } from './shared/state.js';
import { timeline } from './timeline.js';

const RATE_WINDOW_MS = 5_000;

/** Why events are lost. */
const LOSSES = {
  trimmed: 'they are no longer kept',
  epoch: 'the server was restarted',
  unknown: 'the last event ID is not from this server',
  overflow: 'they are too many',
};

const titles = new Map(ROOMS.map(({ name, title }) => [name, title]));
const colors = new Map(ROOMS.map(({ name, color }) => [name, color]));
const cards = new Map(ROOMS.map((room) => [room.name, new Card(room)]));
const chosen = new Set(roomsOfAddress());
/** Chosen rooms whose last minute has not come yet. */
const joining = new Set(chosen);
/** When live events came. */
const arrivals = [];

let source;
let lastEventId = '';
/** As the server calls this connection, for the button that drops it. */
let connection = '';
/** Samples up to this time are older than the connection. */
let connectedAt = 0;
let connectedSince = 0;
/** Whether this connection was opened without a last event ID. */
let isNew = true;
/** The connection that was lost: since when, and the hole in the plots. */
let away;
let lastAt = 0;
let lastArrival = 0;
let isPaused = false;
const counts = { received: 0, replayed: 0 };
/** What happened last. */
let story = { words: () => '' };

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
find('drop').addEventListener('click', () => void post(`connections/${connection}/drop`));
find('pause').addEventListener('click', () => pause(!isPaused));
setInterval(tick, 1_000);
connect();

/** The address of the page remembers the choice, so that it can be kept and sent to somebody. */
function roomsOfAddress() {
  const names = ROOMS.map(({ name }) => name);
  const wanted = new URLSearchParams(location.search).get('rooms');
  return wanted === null ? names : wanted.split(',').filter((name) => names.includes(name));
}

function choose(name, isChosen) {
  for (const rooms of [chosen, joining]) rooms[isChosen ? 'add' : 'delete'](name);
  const isAll = chosen.size === ROOMS.length;
  history.replaceState(null, '', isAll ? location.pathname : `?rooms=${chosenAsText()}`);
  const title = titles.get(name);
  story = { words: () => `${title} is off. The others continue after the last event ID.` };
  connect();
}

const namesOf = (rooms) => rooms.map((name) => titles.get(name)).join(', ');

function chosenAsText() {
  const names = ROOMS.map(({ name }) => name).filter((name) => chosen.has(name));
  return names.join(',');
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
    story = { words: () => 'No room is chosen, so there is no connection.' };
    showFacts();
    return showState('offline');
  }
  // With its last event ID this page is a returning client, and gets what it missed. A room that joins later has
  // nothing after that ID but a history before it: without an ID the server sends the last minute of all rooms. The
  // samples that are here already are skipped.
  isNew = joining.size > 0 || lastEventId === '';
  const after = isNew ? '' : `&lastEventId=${encodeURIComponent(lastEventId)}`;
  const path = `events?rooms=${chosenAsText()}`;
  find('request').replaceChildren('GET /', ...breakable(path));
  showState('connecting');

  const opened = (source = new EventSource(path + after));
  source.addEventListener('open', () => showState('live'));
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused: closing it here would stop that.
    if (opened.readyState === EventSource.CONNECTING) lose();
    else void explainEnd(opened, path);
  });
  source.addEventListener('connected', ({ data }) => onConnected(JSON.parse(data)));
  for (const name of chosen) {
    source.addEventListener(name, (event) => {
      const data = receive(event, name);
      cards.get(name).add(data);
    });
  }
  source.addEventListener('unavailable', (event) => {
    const { room } = JSON.parse(event.data);
    cards.get(room)?.unavailable(receive(event, room));
  });
  source.addEventListener('sse-gap', (event) => {
    const { rooms, reason } = receive(event);
    story.lost = `Events of ${namesOf(rooms)} are lost: ${LOSSES[reason]}.`;
    showFacts();
  });
  source.addEventListener('sse-error', receive);
}

/** The first event of each connection. */
function onConnected({ at, connection: id }) {
  connection = id;
  connectedAt = at;
  connectedSince = performance.now();
  arrivals.length = 0;
  find('drop').disabled = false;
  if (away !== undefined) tellReturn();
  else if (isNew) tellHistory([...joining]);
  showFacts();
}

function tellReturn() {
  const seconds = ((performance.now() - away.since) / 1_000).toFixed(1);
  away.hole.until = connectedAt / 1_000;
  away = undefined;
  const returned = (story = {
    isReturn: true,
    count: 0,
    words: () => `Back after ${seconds} s: ${returned.count} missed events replayed.`,
    lost: 'Nothing is lost.',
  });
}

function tellHistory(rooms) {
  const who =
    rooms.length === chosen.size ? 'This page is new.' : `${namesOf(rooms)} joined later.`;
  const joined = (story = {
    rooms,
    count: 0,
    from: connectedAt,
    words: () => {
      const seconds = Math.round((connectedAt - joined.from) / 1_000);
      return `${who} The last ${seconds} s came first: ${joined.count} events.`;
    },
  });
}

function receive(event, room) {
  const data = JSON.parse(event.data);
  // What the library itself says has no time.
  const at = data.at ?? lastAt + 1;
  const origin = at > connectedAt ? 'live' : isNew ? 'history' : 'replayed';
  counts.received += 1;
  lastEventId = event.lastEventId;
  lastAt = Math.max(lastAt, at);
  lastArrival = performance.now();
  if (origin === 'live') {
    arrivals.push(lastArrival);
    joining.clear();
  } else if (story.isReturn) {
    counts.replayed += 1;
    story.count += 1;
  } else if (story.rooms?.includes(room)) {
    story.count += 1;
    story.from = Math.min(story.from, at);
  }
  list(event, at, origin, colors.get(room) ?? 'bad');
  showFacts();
  return data;
}

/** The browser comes back by itself, with its last event ID. */
function lose() {
  if (away === undefined) {
    const hole = { from: lastAt / 1_000 };
    away = { since: performance.now(), hole };
    timeline.away = [...timeline.away.filter(({ until }) => until > timeline.start), hole];
    story = { words: () => 'The connection is lost. The browser reconnects by itself.' };
    isNew = lastEventId === '';
  }
  find('drop').disabled = true;
  showState('reconnecting');
  showFacts();
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

function showFacts() {
  find('received').textContent = counts.received.toLocaleString('en');
  find('replayed').textContent = counts.replayed.toLocaleString('en');
  find('cursor').textContent = lastEventId || 'none yet';
  const words = [story.words(), story.lost].filter(Boolean).join(' ');
  if (find('story').textContent !== words) find('story').textContent = words;
  find('story').classList.toggle('replayed', story.isReturn === true);
}

function tick() {
  const now = performance.now();
  const ms = Math.min(now - connectedSince, RATE_WINDOW_MS);
  while (arrivals[0] < now - RATE_WINDOW_MS) arrivals.shift();
  if (ms >= 3_000) find('rate').textContent = ((arrivals.length * 1_000) / ms).toFixed(1);
  // The plots go on, so that the hole is to be seen.
  if (away !== undefined) timeline.include((lastAt + now - lastArrival) / 1_000);
  drawSoon();
}
