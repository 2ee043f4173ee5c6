// What happened to the connection last, and what this page has counted.
import { ROOMS } from './rooms.js';
import { find } from './shared/elements.js';

/** Why events are lost. */
const LOSSES = {
  trimmed: 'they are no longer kept',
  epoch: 'the server was restarted',
  unknown: 'the last event ID is not from this server',
  overflow: 'they are too many',
};

const titles = new Map(ROOMS.map(({ name, title }) => [name, title]));
const counts = { received: 0, replayed: 0 };

/**
 * Of some kinds there is also: which rooms it is about, how many events belong to it, since when,
 * what is lost.
 */
let story = { kind: 'other', words: () => '' };

export function say(text) {
  story = { kind: 'other', words: () => text };
  show();
}

export function showLeave(room) {
  say(`${titles.get(room)} is off. The others continue after the last event ID.`);
}

/** `rooms` are new to this page; their history follows. */
export function showHistory(rooms, areAll, connectedAt) {
  const who = areAll ? 'This page is new.' : `${namesOf(rooms)} joined later.`;
  const words = ({ count, since }) =>
    count === 0
      ? `${who} The server has no history yet.`
      : `${who} The last ${Math.round((connectedAt - since) / 1_000)} s came first: ${count} events.`;
  story = { kind: 'history', rooms, count: 0, since: connectedAt, words };
  show();
}

/** What was missed follows. */
export function showReturn(seconds) {
  const words = ({ count, lost = 'Nothing is lost.' }) =>
    `Back after ${seconds.toFixed(1)} s: ${count} missed events replayed. ${lost}`;
  story = { kind: 'return', count: 0, words };
  show();
}

export function showLoss(rooms, reason) {
  const lost = `Events of ${namesOf(rooms)} are lost: ${LOSSES[reason]}.`;
  if (story.kind === 'return') story.lost = lost;
  else say(lost);
  show();
}

export function countEvent({ origin, room, at }) {
  counts.received += 1;
  if (origin === 'replayed' && story.kind === 'return') {
    counts.replayed += 1;
    story.count += 1;
  }
  if (origin === 'history' && story.rooms?.includes(room)) {
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
