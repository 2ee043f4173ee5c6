// From what the page knows to what it shows.
import { state } from './state.js';

const CONNECTION = {
  connecting: 'Connecting',
  open: 'Open',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  closed: 'Closed',
};

const STATUSES = { placed: 'Placed', packed: 'Packed', shipped: 'Shipped' };

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const STORY = {
  'list loaded': (count) => ['New here', `the list of ${plural(count, 'order')} came first`],
  'list loaded again': (count) => ['Gap', `the list of ${plural(count, 'order')} was loaded again`],
  back: (count, place) => [
    place === undefined ? 'Back' : `Back on ${place}`,
    count === 0 ? 'nothing was missed' : `${plural(count, 'missed event')} replayed`,
  ],
  lost: () => ['Connection lost', 'the browser comes back by itself'],
  offline: () => ['Offline', 'on purpose, for 5 s'],
  reloaded: () => ['Page loaded again', 'with its list and its cursor'],
};

export const find = (id) => document.getElementById(id);
export const fromTemplate = (id) => find(id).content.firstElementChild.cloneNode(true);

export function showConnection(connection) {
  find('state').dataset.state = connection;
  find('state-text').textContent = CONNECTION[connection];
  document.body.dataset.state = connection;
  for (const id of ['drop', 'shop']) find(id).disabled = connection !== 'open';
  find('offline').disabled = connection === 'offline';
  find('offline').textContent = 'Go offline for 5 s';
  find('refused').hidden = connection !== 'closed';
}

/** In the button: the state is read out when it changes, and nobody wants to hear it count. */
export function showCountdown(seconds) {
  find('offline').textContent = `Back in ${seconds} s`;
}

/** All of it, without a sign of what is new. */
export function showAll() {
  find('orders').replaceChildren(...state.orders.map(rowOf));
  showRest();
}

/** One order that is new or has changed; the others stay as they are. */
export function showOrder(order, wasMissed) {
  const row = rowOf(order);
  row.classList.add(wasMissed ? 'replayed' : 'live');
  const rows = new Map([...find('orders').children].map((one) => [Number(one.dataset.no), one]));
  if (rows.has(order.no)) rows.get(order.no).replaceWith(row);
  else find('orders').prepend(row);
  for (const { no } of state.orders) rows.delete(no);
  for (const forgotten of rows.values()) forgotten.remove();
}

/** Everything but the list. */
export function showRest() {
  for (const name of ['received', 'replayed', 'snapshots', 'gaps']) {
    find(name).textContent = state[name].toLocaleString('en');
  }
  const isWhole = state.missing + state.doubled === 0;
  find('check').dataset.whole = isWhole;
  find('check-text').textContent = `${state.missing} missing, ${state.doubled} doubled`;
  find('cursor').textContent = state.cursor || 'none yet';
  find('shop').textContent = state.isOpen ? 'Pause the shop' : 'Resume the shop';
  find('shop-state').textContent = state.isOpen ? 'open' : 'paused';
  find('count').textContent = plural(state.orders.length, 'order');
  find('story').replaceChildren(...state.story.map(lineOf));
}

function rowOf({ no, item, amount, status }) {
  const row = fromTemplate('order');
  row.dataset.no = no;
  row.dataset.status = status;
  row.querySelector('.no').textContent = no;
  row.querySelector('.item').textContent = item;
  row.querySelector('.amount').textContent = amount;
  row.querySelector('.status-text').textContent = STATUSES[status];
  return row;
}

function lineOf({ at, what, count, place }) {
  const line = fromTemplate('line');
  const [title, text] = STORY[what](count, place);
  line.dataset.what = what;
  line.querySelector('time').textContent = new Date(at).toLocaleTimeString('en-GB');
  line.querySelector('strong').textContent = `${title}:`;
  line.querySelector('.text').textContent = text;
  return line;
}
