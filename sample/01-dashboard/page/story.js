// What happened to the connection last, and what this page has counted.
import { ROOMS } from './rooms.js';
import { find } from './shared/elements.js';

const titles = new Map(ROOMS.map(({ name, title }) => [name, title]));
const counts = { received: 0, replayed: 0 };

/**
 * Of some kinds there is also: which rooms it is about, how many events belong to it, since when,
 * how many of a new state.
 */
let story = { kind: 'other', words: () => '' };

export function say(text) {
  story = { kind: 'other', words: () => text };
  show();
}

export function showLeave(room) {
  say(`${titles.get(room)} is off. The others continue after the last event ID.`);
}

/** `rooms` are new to this page; their state follows. */
export function showJoin(rooms, areAll, connectedAt) {
  const who = areAll ? 'This page is new.' : `${namesOf(rooms)} joined later.`;
  const words = ({ count, since }) =>
    count === 0
      ? `${who} The server has no state yet.`
      : `${who} The last ${Math.ceil((connectedAt - since) / 1_000)} s came first: ${count} entries.`;
  story = { kind: 'join', rooms, count: 0, since: connectedAt, words };
  show();
}

/** What was missed follows. */
export function showReturn(seconds) {
  const back = `Back after ${seconds.toFixed(1)} s`;
  const words = ({ count, entries }) =>
    entries === undefined
      ? `${back}: ${count} missed events replayed. Nothing is lost.`
      : `${back}. Not all that was missed is kept, so the state came: ${entries} entries.`;
  story = { kind: 'return', count: 0, words };
  show();
}

/** A state of so many entries follows. A client that returns gets one if history has not enough. */
export function addState(entries) {
  story.entries = (story.entries ?? 0) + entries;
  show();
}

export function countEvent({ origin, room, at }) {
  counts.received += 1;
  if (origin === 'replayed' && story.kind === 'return') {
    counts.replayed += 1;
    story.count += 1;
  }
  if (origin === 'state' && story.rooms?.includes(room)) {
    story.count += 1;
    story.since = Math.min(story.since, at);
  }
  show();
}

const namesOf = (rooms) => rooms.map((name) => titles.get(name)).join(', ');

function show() {
  for (const [id, figure] of Object.entries(counts)) {
    find(id).textContent = figure.toLocaleString('en');
  }
  const text = story.words(story);
  const element = find('story');
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle('replayed', story.kind === 'return');
}
