// What the pages of the small samples have in common: a stream, its state, and its newest events.
import { find, make, post, showProblem } from './elements.js';

export { find, make, post };

const MAX_LISTED = 12;

const STATES = {
  connecting: 'Connecting',
  open: 'Connected',
  reconnecting: 'Reconnecting',
  closed: 'Refused',
  idle: 'Finished',
};

/** Opens a stream with a listener for each type of event, shows its state, and lists what comes where the page has a list. */
export function openStream(path, listeners) {
  const source = new EventSource(path);
  find('curl')?.replaceChildren(`curl -N ${source.url}`);
  showState('connecting');
  source.addEventListener('open', () => showState('open'));
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused, and closing it here would stop that. What has told its end
    // with `sse-end` is refused on purpose.
    if (find('state').dataset.state === 'idle') return;
    showState(source.readyState === EventSource.CLOSED ? 'closed' : 'reconnecting');
  });
  for (const [type, listener] of Object.entries(listeners)) {
    source.addEventListener(type, (event) => {
      list(event);
      listener(event);
    });
  }
  source.addEventListener('sse-end', (event) => {
    list(event);
    showState('idle');
  });
  source.addEventListener('sse-gap', list);
  return source;
}

export function showState(state) {
  find('state').dataset.state = state;
  find('state').replaceChildren(make('span', 'state-light'), STATES[state]);
  document.body.dataset.state = state;
  if (state === 'open') showProblem('');
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
