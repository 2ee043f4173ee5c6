// The state of a page's stream: one word for each, the same on every page.
import { find, make } from './elements.js';

export const STATES = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  refused: 'Refused',
  ended: 'Ended',
};

/** Also on the body, for the styles of a page. */
export function showState(state) {
  document.body.dataset.state = state;
  find('state').dataset.state = state;
  find('state').replaceChildren(make('span', 'state-light'), STATES[state]);
}
