// What the pages of the small samples have in common: a stream, its state, and its newest events.
import { find, make, post } from './elements.js';
import { showState } from './state.js';

export { find, make, post };

const MAX_LISTED = 12;

/** Of each stream of this page. */
const states = new Map();

/** Opens a stream with a listener for each type of event, shows its state, and lists what comes where the page has a list. */
export function openStream(path, listeners) {
  const source = new EventSource(path);
  find('curl')?.replaceChildren(`curl -N ${source.url}`);
  const become = (state) => {
    states.set(source, state);
    showStates();
  };
  become('connecting');
  source.addEventListener('open', () => become('live'));
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused, and closing it here would stop that. What has told its end
    // with `sse-end` is refused on purpose.
    if (states.get(source) === 'ended') return;
    become(source.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting');
  });
  for (const [type, listener] of Object.entries(listeners)) {
    source.addEventListener(type, (event) => {
      list(event);
      listener(event);
    });
  }
  source.addEventListener('sse-end', (event) => {
    list(event);
    become('ended');
  });
  source.addEventListener('sse-gap', list);
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

function list({ type, data, lastEventId }) {
  const events = find('events');
  if (events === null) return;
  const entry = make('li');
  entry.append(make('span', 'type', type), make('span', 'id code', lastEventId));
  entry.append(make('span', 'data code', data));
  events.prepend(entry);
  while (events.children.length > MAX_LISTED) events.lastElementChild.remove();
}
