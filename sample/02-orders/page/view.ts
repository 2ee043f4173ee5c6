// From what the page knows to what it shows.
import { showState, STATES } from '../../shared/page/state.js';
import type { Order } from '../events.js';
import { find, fromTemplate, plural, write } from './dom.js';
import { isWhole, now, state, type Line, type What } from './state.js';
import { showSteps } from './steps.js';

const STATUSES = { placed: 'Placed', packed: 'Packed', shipped: 'Shipped' };

/** What is left of the way of a row after each frame. */
const GLIDE = 0.8;
const MAX_LIFT_ROWS = 12;

const isStill = matchMedia('(prefers-reduced-motion: reduce)');
let rowHeight = 0;
/** How far above its place the list is shown, in pixels. */
let lift = 0;

const LOG: Record<What, (line: Line) => [title: string, text: string]> = {
  'list loaded': ({ count = 0 }) => [
    'New here',
    `the list of ${plural(count, 'order')} came first`,
  ],
  'list loaded again': ({ count = 0 }) => [
    'Gap',
    `the list of ${plural(count, 'order')} was loaded again`,
  ],
  back: ({ count = 0, place }) => [
    place === undefined ? 'Back' : `Back on ${place}`,
    count === 0 ? 'nothing was missed' : `${plural(count, 'missed event')} arrived`,
  ],
  lost: ({ place }) => [
    place === undefined ? 'Connection lost' : `Connection to ${place} lost`,
    'it reconnects by itself',
  ],
  offline: () => ['Offline', 'this page closed its stream'],
  reloaded: () => ['Page loaded again', 'with its list and its last event ID'],
  'redis away': () => ['Redis is away', 'events are held back'],
  'redis back': ({ count, isWhole: isOneWhole }) => [
    count === undefined ? 'Redis is back' : `Redis is back after ${count} s`,
    isOneWhole === undefined ? 'the next event follows' : isOneWhole ? 'nothing lost' : 'see above',
  ],
};

export function showConnection(connection: (typeof now)['connection']): void {
  now.connection = connection;
  showState(connection);
  if (connection === 'live' && now.isHeldBack) showHeldBack();
  for (const id of ['drop', 'shop', 'kill']) enable(id, connection === 'live');
  find('offline').textContent = connection === 'offline' ? 'Come back now' : 'Go offline for 5 s';
  find('refused').hidden = connection !== 'refused';
  showRest();
}

/** The stream is open, but nothing can come: the badge is not green. */
function showHeldBack(): void {
  find('state').dataset['state'] = 'held-back';
  find('state').lastChild!.textContent = 'Redis is away';
}

/** A button that has the focus keeps it, which `disabled` would take away. */
function enable(id: string, isEnabled: boolean): void {
  document.getElementById(id)?.setAttribute('aria-disabled', String(!isEnabled));
}

/** In the button: the state is read out when it changes, and nobody wants to hear it count. */
export function showCountdown(seconds: number): void {
  find('offline').textContent = `Come back now (${seconds} s)`;
}

/** All of it, without a sign of what is new. */
export function showAll(): void {
  find('orders').replaceChildren(...state.orders.map(rowOf));
  measure();
  showRest();
}

function measure(): void {
  rowHeight = find('orders').querySelector('tr')?.getBoundingClientRect().height ?? 0;
}

addEventListener('resize', measure);

/** One order that is new or has changed; the others stay as they are. */
export function showOrder(order: Order, wasMissed: boolean): void {
  const row = rowOf(order);
  row.classList.add(wasMissed ? 'replayed' : 'live');
  const rows = new Map(
    [...find('orders').querySelectorAll('tr')].map((one) => [Number(one.dataset['no']), one]),
  );
  if (rows.has(order.no)) rows.get(order.no)?.replaceWith(row);
  else prepend(row);
  for (const { no } of state.orders) rows.delete(no);
  for (const forgotten of rows.values()) forgotten.remove();
}

/** The rows below glide down: they do not jump away from under the eye. */
function prepend(row: HTMLElement): void {
  find('orders').prepend(row);
  if (isStill.matches) return;
  // From the frame after the next: in the next one, nothing has moved.
  if (lift === 0) requestAnimationFrame(() => requestAnimationFrame(glide));
  // Nothing is measured here: where many events arrive, each measuring would cost a layout.
  lift = Math.min(lift + rowHeight, MAX_LIFT_ROWS * rowHeight);
  moveList();
}

/**
 * Frame by frame. While an animation of the browser is under way, Chromium counts the next row as a
 * shift of the layout.
 */
function glide(): void {
  lift = lift < 1 ? 0 : lift * GLIDE;
  moveList();
  if (lift > 0) requestAnimationFrame(glide);
}

function moveList(): void {
  find('orders').style.transform = lift === 0 ? '' : `translateY(-${lift}px)`;
}

/** Everything but the list. */
export function showRest(): void {
  for (const name of ['received', 'replayed', 'snapshots', 'gaps'] as const) {
    find(name).textContent = state[name].toLocaleString('en');
  }
  showSteps();
  showCheck();
  find('cursor').textContent = state.cursor || 'none yet';
  find('asked').textContent = askedText();
  find('shop').textContent = state.isOpen ? 'Pause the shop' : 'Resume the shop';
  find('shop-state').textContent = state.isOpen ? 'open' : 'paused';
  find('count').textContent = plural(state.orders.length, 'order');
  find('story').replaceChildren(...state.story.map(lineOf));
}

/** Green only while the stream is live: before, nobody knows. */
function showCheck(): void {
  const { missing, duplicated } = state;
  const isKnown = now.connection === 'live' && !now.isHeldBack;
  find('check').dataset['whole'] = !isWhole() ? 'false' : isKnown ? 'true' : 'unknown';
  find('check-text').textContent =
    isWhole() && !isKnown ? whyUnknown() : `${missing} missing, ${duplicated} duplicated`;
}

function whyUnknown(): string {
  if (now.connection === 'live') return 'Held back: Redis is away';
  if (now.connection !== 'offline' || now.waiting === undefined) return STATES[now.connection];
  return `Offline: ${plural(now.waiting, 'event is', 'events are')} waiting`;
}

/** The reconnection in words. */
function askedText(): string {
  if (state.latestReturn === undefined) return 'No reconnection yet.';
  const { after, hadGap, replayed } = state.latestReturn;
  const answer = hadGap
    ? 'the history is gone, here is the whole list.'
    : replayed === 0
      ? 'nothing.'
      : `${plural(replayed, 'event')}.`;
  return `“What came after ${after}?” Answer: ${answer}`;
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

function lineOf(known: Line): HTMLElement {
  const line = fromTemplate('line');
  const [title, text] = LOG[known.what](known);
  line.dataset['what'] = known.what;
  write(line, 'time', new Date(known.at).toLocaleTimeString('en-GB'));
  write(line, 'strong', `${title}:`);
  write(line, '.text', text);
  return line;
}
