// From the inspector's stream to its page.

import { showConnections } from './connections.js';
import { find, write } from './elements.js';
import { clock, plural } from './format.js';
import { showCounts, showNotes, showTroubles } from './happenings.js';
import { onProcess, showProcesses } from './processes.js';
import { showRooms } from './rooms.js';
import { sortAnew } from './rows.js';
import { asksForToken, token } from './server.js';
import { follow } from './stream.js';
import { beginPlots, clearPlots, showTiles } from './tiles.js';

/** What is looked for. */
const look = { search: '', slow: false, process: '' };
let isPaused = false;
let stop = () => {};

function show(state) {
  const { pid, host } = state.process;
  document.title = `${plural(state.connections.open, 'connection')}, event streams`;
  write(find('process'), `Process ${pid} on ${host}, ${clock(state.at)}`);
  showTroubles(state);
  showTiles(state);
  showProcesses(state, look.process);
  showConnections(state);
  showRooms(state, look.process);
  showNotes(state);
  if (state.traffic !== null) showCounts(state);
  document.body.dataset.shown = '';
}

const EVENTS = {
  samples: beginPlots,
  state: (state) => {
    if (!isPaused) show(state);
  },
};

function showState(state) {
  document.body.dataset.state = state;
  find('state').dataset.state = state;
  write(find('state'), state);
}

/** A page that only looks for something else stays live meanwhile. */
function connect({ plots = true, isSwitch = false } = {}) {
  stop();
  find('ended').hidden = true;
  const query = new URLSearchParams({ search: look.search, process: look.process });
  if (look.slow) query.set('slow', '1');
  if (plots) query.set('plots', '1');
  stop = follow(`/events?${query}`, {
    event: (type, data) => EVENTS[type]?.(JSON.parse(data)),
    state: showState,
    refused,
    isSwitch,
  });
}

function refused(response) {
  const isSignIn = asksForToken && (response?.status === 401 || response?.status === 403);
  if (isSignIn)
    return signIn(token.get() === null ? '' : `${response.status} ${response.statusText}`);
  find('ended-text').textContent =
    response === undefined
      ? 'The server ended the stream.'
      : `The server refuses: ${response.status} ${response.statusText}.`;
  find('ended').hidden = false;
}

function lookAnew(change, { plots = false } = {}) {
  Object.assign(look, change);
  for (const id of ['connections', 'rooms', 'notes']) sortAnew(find(id));
  connect({ plots, isSwitch: true });
}

// Search and filters

let typing;

find('search').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => lookAnew({ search: find('search').value }), 250);
});

find('slow').addEventListener('click', () => {
  find('slow').setAttribute('aria-pressed', String(!look.slow));
  lookAnew({ slow: !look.slow });
});

onProcess((process) => {
  clearPlots();
  lookAnew({ process }, { plots: true });
});

find('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  find('pause').textContent = isPaused ? 'Go on' : 'Pause';
  find('pause').setAttribute('aria-pressed', String(isPaused));
});

find('reconnect').addEventListener('click', () => connect({ plots: false }));

// Sign-in

function signIn(why) {
  stop();
  token.clear();
  document.body.dataset.signedOut = '';
  find('sign-in-error').textContent = why === '' ? '' : `The server refuses this token: ${why}.`;
  find('token').focus();
}

find('sign-in').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  const text = find('token').value.trim();
  if (text === '') return;
  token.set(text);
  find('token').value = '';
  delete document.body.dataset.signedOut;
  connect();
});

find('sign-out').hidden = !asksForToken;
find('sign-out').addEventListener('click', () => {
  clearPlots();
  signIn('');
});

if (asksForToken && token.get() === null) signIn('');
else connect();
