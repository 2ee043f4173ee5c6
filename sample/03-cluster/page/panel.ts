// Beside the page of `02-orders`: what is behind its address, and buttons to kill it.
import { connect } from 'nestjs-eventstream/client';
import { find, fromTemplate, plural, write } from '../../02-orders/page/dom.js';
import { ask, onLive, remember, start, takeEvent } from '../../02-orders/page/live.js';
import { now } from '../../02-orders/page/state.js';
import { namePlaces } from '../../02-orders/page/steps.js';
import { showConnection } from '../../02-orders/page/view.js';
import { sharedOrders, type ClusterState } from '../events.js';
import { followRoster, loadRoster, own, showTabs } from './tabs.js';

/** The process that the page is on, and the one before that. */
let here: string | undefined;
let before: string | undefined;
let wasRedisUp = false;
/** Since when Redis is away, if this page saw it go. */
let awaySince: number | undefined;

namePlaces({
  live: () => here && `You are on ${here}`,
  lost: () => here && `${capital(here)} is out of reach`,
  back: () => here && `Back on ${here}`,
});

onLive('kill', () => void ask(`kill/${here?.replace(' ', '/')}`));

start((cursor) => {
  // The roster and the last event ID belong together: without one, the page does without the other.
  const known = cursor === undefined ? undefined : loadRoster();
  const lastEventId = known && cursor;
  const stream = connect(sharedOrders, { baseUrl: '.', lastEventId, query: { tab: own } });
  followRoster(stream, known);
  stream.subscribe((event) => {
    if (event.type === 'cluster') return show(event.data);
    // First: the steps name the process.
    if (event.type === 'connected') moveTo(event.data.place);
    takeEvent(event);
  });
  return stream;
});

function moveTo(place: string | undefined): void {
  if (place !== here) [before, here] = [here, place];
  find('where').textContent =
    before === undefined ? `You are on ${here}.` : `You went from ${before} to ${here}.`;
}

interface Server {
  id: string;
  name: string;
  pid: string;
  facts: string;
  isAlive: boolean;
  canBeKilled: boolean;
}

function show({ processes, redis }: ClusterState): void {
  for (const { number, pid, isAlive, connections } of processes) {
    const name = `process ${number}`;
    const facts = isAlive ? plural(connections, 'stream') : 'restarting';
    const id = `process/${number}`;
    showServer({ id, name, pid: isAlive ? `pid ${pid}` : '', facts, isAlive, canBeKilled: true });
  }
  const { isUp, canBeKilled } = redis;
  const facts = isUp ? 'up' : 'away';
  showServer({ id: 'redis', name: 'Redis', pid: '', facts, isAlive: isUp, canBeKilled });
  if (isUp === now.isHeldBack) showRedis(isUp);
  wasRedisUp = isUp;
  showTabs(processes);
}

/** In the badge, in the log and in the check. */
function showRedis(isUp: boolean): void {
  now.isHeldBack = !isUp;
  if (isUp) {
    const seconds = awaySince && Math.round((Date.now() - awaySince) / 1_000);
    remember('redis back', { count: seconds });
  } else {
    awaySince = wasRedisUp ? Date.now() : undefined;
    remember('redis away');
  }
  showConnection(now.connection);
}

/** In place, so that a button which has the focus keeps it. */
function showServer({ id, name, pid, facts, isAlive, canBeKilled }: Server): void {
  const rows = [...find('behind').querySelectorAll('li')];
  const row = rows.find((one) => one.dataset['id'] === id) ?? add(id, name);
  const button = row.querySelector('button')!;
  row.dataset['alive'] = String(isAlive);
  row.dataset['here'] = String(name === here);
  row.querySelector<HTMLElement>('.here')!.hidden = name !== here;
  write(row, '.pid', pid);
  write(row, '.facts', facts);
  button.disabled = !isAlive;
  button.hidden = !canBeKilled;
}

function add(id: string, name: string): HTMLElement {
  const row = fromTemplate('server');
  const button = row.querySelector('button')!;
  row.dataset['id'] = id;
  write(row, 'strong', capital(name));
  row.querySelector('.tabs')!.id = `tabs-${id}`;
  button.textContent = 'Kill';
  button.setAttribute('aria-label', `Kill ${name}`);
  button.addEventListener('click', () => void ask(`kill/${id}`));
  find('behind').append(row);
  return row;
}

const capital = (name: string): string => name.replace(/^p/, 'P');
