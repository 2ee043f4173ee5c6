// From what the page knows to what it shows.
import type { Order } from '../events.js';
import { state, type Line, type What } from './state.js';

const CONNECTION = {
  connecting: 'Connecting',
  open: 'Open',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  closed: 'Closed',
};

const STATUSES = { placed: 'Placed', packed: 'Packed', shipped: 'Shipped' };

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

const STORY: Record<What, (count: number, place?: string) => [title: string, text: string]> = {
  'list loaded': (count) => ['New here', `the list of ${plural(count, 'order')} came first`],
  'list loaded again': (count) => ['Gap', `the list of ${plural(count, 'order')} was loaded again`],
  back: (count, place) => [
    place === undefined ? 'Back' : `Back on ${place}`,
    count === 0 ? 'nothing was missed' : `${plural(count, 'missed event')} replayed`,
  ],
  lost: () => ['Connection lost', 'it comes back by itself'],
  offline: () => ['Offline', 'on purpose, for 5 s'],
  reloaded: () => ['Page loaded again', 'with its list and its cursor'],
};

export const find = (id: string): HTMLElement => document.getElementById(id)!;

export function fromTemplate(id: string): HTMLElement {
  const { content } = find(id) as HTMLTemplateElement;
  return content.firstElementChild!.cloneNode(true) as HTMLElement;
}

export function showConnection(connection: keyof typeof CONNECTION): void {
  find('state').dataset['state'] = connection;
  find('state-text').textContent = CONNECTION[connection];
  document.body.dataset['state'] = connection;
  for (const id of ['drop', 'shop']) enable(id, connection === 'open');
  enable('offline', connection !== 'offline');
  find('offline').textContent = 'Go offline for 5 s';
  find('refused').hidden = connection !== 'closed';
}

function enable(id: string, isEnabled: boolean): void {
  (find(id) as HTMLButtonElement).disabled = !isEnabled;
}

/** In the button: the state is read out when it changes, and nobody wants to hear it count. */
export function showCountdown(seconds: number): void {
  find('offline').textContent = `Back in ${seconds} s`;
}

/** All of it, without a sign of what is new. */
export function showAll(): void {
  find('orders').replaceChildren(...state.orders.map(rowOf));
  showRest();
}

/** One order that is new or has changed; the others stay as they are. */
export function showOrder(order: Order, wasMissed: boolean): void {
  const row = rowOf(order);
  row.classList.add(wasMissed ? 'replayed' : 'live');
  const rows = new Map(
    [...find('orders').querySelectorAll('tr')].map((one) => [Number(one.dataset['no']), one]),
  );
  if (rows.has(order.no)) rows.get(order.no)?.replaceWith(row);
  else find('orders').prepend(row);
  for (const { no } of state.orders) rows.delete(no);
  for (const forgotten of rows.values()) forgotten.remove();
}

/** Everything but the list. */
export function showRest(): void {
  for (const name of ['received', 'replayed', 'snapshots', 'gaps'] as const) {
    find(name).textContent = state[name].toLocaleString('en');
  }
  const isWhole = state.missing + state.doubled === 0;
  find('check').dataset['whole'] = String(isWhole);
  find('check-text').textContent = `${state.missing} missing, ${state.doubled} doubled`;
  find('cursor').textContent = state.cursor || 'none yet';
  find('shop').textContent = state.isOpen ? 'Pause the shop' : 'Resume the shop';
  find('shop-state').textContent = state.isOpen ? 'open' : 'paused';
  find('count').textContent = plural(state.orders.length, 'order');
  find('story').replaceChildren(...state.story.map(lineOf));
}

function rowOf({ no, item, amount, status }: Order): HTMLElement {
  const row = fromTemplate('order');
  row.dataset['no'] = String(no);
  row.dataset['status'] = status;
  write(row, '.no', String(no));
  write(row, '.item', item);
  write(row, '.amount', String(amount));
  write(row, '.status-text', STATUSES[status]);
  return row;
}

function lineOf({ at, what, count, place }: Line): HTMLElement {
  const line = fromTemplate('line');
  const [title, text] = STORY[what](count, place);
  line.dataset['what'] = what;
  write(line, 'time', new Date(at).toLocaleTimeString('en-GB'));
  write(line, 'strong', `${title}:`);
  write(line, '.text', text);
  return line;
}

export function write(parent: HTMLElement, selector: string, text: string): void {
  parent.querySelector(selector)!.textContent = text;
}
