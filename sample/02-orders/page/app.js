// From the stream and the buttons to what the page knows.
import { save, state, takeChange, takeSnapshot, tell } from './state.js';
import { find, showAll, showConnection, showCountdown, showOrder, showRest } from './view.js';

const OFFLINE_S = 5;

let source;
/** This connection, as the server calls it. */
let connection;
/** Changes up to this revision happened before this connection. */
let missedUntil = 0;

const listeners = [
  ['connected', onConnected],
  ['orders', onOrders],
  ['sse-gap', onGap],
  ...['created', 'changed', 'shop'].map((type) => [type, onChange]),
];

find('drop').addEventListener('click', () => void ask(`connections/${connection}/drop`));
find('shop').addEventListener('click', () => {
  void ask(`shop/${state.isOpen ? 'pause' : 'resume'}`);
});
find('offline').addEventListener('click', goOffline);
find('again').addEventListener('click', connect);
find('understood').addEventListener('click', () => (find('note').hidden = true));

if (state.cursor !== '') remember('reloaded');
showAll();
connect();

function connect() {
  // A new EventSource does not know where the last one stood. When it comes back by itself it does, and sends a header.
  const after = state.cursor && `?lastEventId=${encodeURIComponent(state.cursor)}`;
  showConnection('connecting');
  const opened = (source = new EventSource(`events${after}`));
  source.addEventListener('open', () => showConnection('open'));
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused: closing it here would stop that. A page that is left gets an
    // end of this kind too, which is no part of the story.
    if (opened.readyState === EventSource.CLOSED) return showConnection('closed');
    if (document.body.dataset.state === 'open') remember('lost');
    showConnection('reconnecting');
  });
  for (const [type, listener] of listeners) source.addEventListener(type, listener);
}

/** For a page that shows more: further events, on this stream and on those that follow it. */
export function listen(type, listener) {
  listeners.push([type, listener]);
  source.addEventListener(type, listener);
}

function onConnected({ data }) {
  const { connection: id, revision, place } = JSON.parse(data);
  connection = id;
  missedUntil = revision;
  if (state.cursor !== '') remember('back', place);
}

/** The first thing for a client that is new, and what follows a gap. */
function onOrders({ data }) {
  takeSnapshot(JSON.parse(data));
  save();
  showAll();
}

function onGap() {
  state.gaps += 1;
  // It is back, but not where it was.
  if (state.story[0]?.what === 'back') state.story.shift();
  find('note').hidden = false;
}

function onChange({ type, data, lastEventId }) {
  const change = JSON.parse(data);
  const wasMissed = change.revision <= missedUntil;
  const isInList = takeChange(type, change, lastEventId, wasMissed);
  save();
  if (isInList) showOrder(change, wasMissed);
  showRest();
}

/** As if there were no network: nothing comes, and afterwards a new stream begins where this one stopped. */
function goOffline() {
  source.close();
  remember('offline');
  showConnection('offline');
  countDown(OFFLINE_S);
}

function countDown(seconds) {
  if (seconds === 0) return connect();
  showCountdown(seconds);
  setTimeout(() => countDown(seconds - 1), 1_000);
}

export async function ask(path) {
  try {
    await fetch(path, { method: 'POST' });
  } catch {
    // The server is away, which the state of the connection says already.
  }
}

function remember(what, place) {
  tell(what, { place });
  save();
  showRest();
}
