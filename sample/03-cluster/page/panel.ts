// Beside the page of `02-orders`: what is behind its address, and buttons to kill it.
import type { EventStream } from 'nestjs-eventstream/client';
import { ask, useStream } from '../../02-orders/page/app.js';
import { find, fromTemplate, plural, write } from '../../02-orders/page/view.js';
import type { ClusterEvents, ClusterState } from '../cluster-state.js';

/** The process at the other end of this stream. */
let here: string | undefined;

useStream((stream) => {
  stream.on('connected', ({ data }) => (here = data.place));
  // This server tells more than that of `02-orders`.
  const cluster = stream as unknown as EventStream<ClusterEvents>;
  cluster.on('cluster', ({ data }) => show(data));
});

interface Server {
  id: string;
  name: string;
  facts: string;
  isAlive: boolean;
  canBeKilled: boolean;
}

function show({ processes, redis }: ClusterState): void {
  for (const { number, pid, isAlive, connections } of processes) {
    const name = `process ${number}`;
    const facts = isAlive ? `pid ${pid}, ${plural(connections, 'stream')}` : 'restarting';
    showServer({ id: `process/${number}`, name, facts, isAlive, canBeKilled: true });
  }
  const { isUp, canBeKilled } = redis;
  const facts = isUp ? 'up' : 'away, the shop waits';
  showServer({ id: 'redis', name: 'Redis', facts, isAlive: isUp, canBeKilled });
  showWhere();
}

/** In place, so that a button which has the focus keeps it. */
function showServer({ id, name, facts, isAlive, canBeKilled }: Server): void {
  const rows = [...find('behind').querySelectorAll('li')];
  const row = rows.find((one) => one.dataset['id'] === id) ?? add(id, name);
  const button = row.querySelector('button')!;
  row.dataset['alive'] = String(isAlive);
  row.querySelector<HTMLElement>('.here')!.hidden = name !== here;
  write(row, '.facts', facts);
  button.disabled = !isAlive;
  button.hidden = !canBeKilled;
}

function add(id: string, name: string): HTMLElement {
  const row = fromTemplate('server');
  const button = row.querySelector('button')!;
  row.dataset['id'] = id;
  write(row, 'strong', name.replace(/^p/, 'P'));
  button.textContent = id === 'redis' ? 'Kill Redis' : 'Kill';
  button.setAttribute('aria-label', `Kill ${name}`);
  button.addEventListener('click', () => void ask(`kill/${id}`));
  find('behind').append(row);
  return row;
}

/** In the line that says whether the stream is open. */
function showWhere(): void {
  let where = document.getElementById('where');
  if (where === null) {
    where = document.createElement('span');
    where.id = 'where';
    find('state').append(where);
  }
  where.textContent = `on ${here}`;
}
