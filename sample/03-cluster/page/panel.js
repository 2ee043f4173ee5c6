// Beside the page of `02-orders`: what is behind its address, and buttons to kill it.
import { ask, listen } from '../app.js';
import { find, fromTemplate, plural } from '../view.js';

/** The process at the other end of this stream. */
let here;

listen('connected', ({ data }) => (here = JSON.parse(data).place));
listen('cluster', ({ data }) => show(JSON.parse(data)));

function show({ processes, redis }) {
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
function showServer({ id, name, facts, isAlive, canBeKilled }) {
  const row = [...find('behind').children].find((one) => one.dataset.id === id) ?? add(id, name);
  const button = row.querySelector('button');
  row.dataset.alive = isAlive;
  row.querySelector('.here').hidden = name !== here;
  row.querySelector('.facts').textContent = facts;
  button.disabled = !isAlive;
  button.hidden = !canBeKilled;
}

function add(id, name) {
  const row = fromTemplate('server');
  const button = row.querySelector('button');
  row.dataset.id = id;
  row.querySelector('strong').textContent = name.replace(/^p/, 'P');
  button.textContent = id === 'redis' ? 'Kill Redis' : 'Kill';
  button.setAttribute('aria-label', `Kill ${name}`);
  button.addEventListener('click', () => void ask(`kill/${id}`));
  find('behind').append(row);
  return row;
}

/** In the line that says whether the stream is open. */
function showWhere() {
  let where = find('where');
  if (where === null) {
    where = document.createElement('span');
    where.id = 'where';
    find('state').append(where);
  }
  where.textContent = `on ${here}`;
}
