// What the pages of the small samples have in common: a stream, its state, and its newest events.
import { find, make, post } from './elements.js';
import { showState } from './state.js';

export { find, make, post };

const MAX_LISTED = 40;

/** Of each stream of this page. */
const states = new Map();

/**
 * Opens a stream with a listener for each type of event. Shows its state, and lists its events if
 * the page has a list. `reader` names who gets them, on a page with several streams.
 */
export function openStream(path, listeners, reader = '') {
  const source = new EventSource(path);
  find('curl')?.replaceChildren(`curl -N ${source.url}`);
  const become = (state) => {
    states.set(source, state);
    showStates();
  };
  become('connecting');
  source.addEventListener('open', () => become('live'));
  source.addEventListener('error', () => {
    // The browser reconnects by itself unless the server refused; `close()` here would stop that.
    // After `sse-end` the server refuses on purpose.
    if (states.get(source) === 'ended') return;
    become(source.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting');
  });
  for (const [type, listener] of Object.entries(listeners)) {
    source.addEventListener(type, (event) => {
      list(event, reader);
      listener(event);
    });
  }
  source.addEventListener('sse-end', (event) => {
    list(event, reader);
    become('ended');
  });
  source.addEventListener('sse-gap', (event) => list(event, reader));
  return source;
}

/** Of several streams the one that is not well; only when all have finished, that. */
function showStates() {
  for (const [source, state] of states) {
    const isLeft =
      source.readyState === EventSource.CLOSED && !['refused', 'ended'].includes(state);
    if (isLeft) states.delete(source);
  }
  const all = new Set(states.values());
  const shown = ['refused', 'reconnecting', 'connecting', 'live'].find((state) => all.has(state));
  showState(shown ?? 'ended');
}

function list({ type, data, lastEventId }, reader) {
  const events = find('events');
  if (events === null) return;
  const entry = make('li');
  entry.append(
    make('span', 'type', reader === '' ? type : `${type} to ${reader}`),
    make('span', 'id code', lastEventId),
  );
  entry.append(make('span', 'data code', data));
  // At the end, as in a log: what is being read does not move away.
  events.append(entry);
  while (events.children.length > MAX_LISTED) events.firstElementChild.remove();
  events.scrollTop = events.scrollHeight;
}
