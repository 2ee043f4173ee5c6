// The list of connections, and what its buttons do.

import { confirmed, fill, find, say } from './elements.js';
import { agent, bytes, count, duration, plural, rate, readablePath } from './format.js';
import { rankOfRate, showRows, URGENT } from './rows.js';
import { post } from './server.js';

const panel = find('connections');
const shortId = (id) => id.slice(0, 8);
const isSlow = ({ isBlocked, droppedEvents }) => isBlocked || droppedEvents > 0;

/** The user first, by name alone. */
export function factTexts(facts) {
  return Object.entries(facts).map(([name, value]) =>
    name === 'user' || name === 'userId' ? String(value) : `${name} ${value}`,
  );
}

export function showConnections({ at, connections, processes }) {
  const { open, inspectors, found, list, leftOut } = connections;
  const others = found < open + inspectors ? `, ${count(found)} found` : '';
  const cut = leftOut === 0 ? '' : `, the first ${count(list.length)} of them here`;
  panel.querySelector('.note').textContent =
    `${count(open)} and ${plural(inspectors, 'inspector')}${others}${cut}`;
  const names = new Map(
    processes.map(({ id, pid }) => [id, processes.length > 1 ? `pid ${pid}` : '']),
  );
  const byId = list.map((one) => [one.id, one]);
  const fillRow = (row, one) => fillConnection(row, one, at, names.get(one.process) ?? '');
  showRows(panel, 'connection', byId, fillRow, (one) =>
    one.isBlocked ? URGENT : rankOfRate(one.eventsPerSecond),
  );
}

function fillConnection(row, connection, at, process) {
  const { rooms, roomCount, droppedEvents: dropped, isBlocked, facts, address } = connection;
  const more = roomCount > rooms.length ? `, and ${count(roomCount - rooms.length)} more` : '';
  const list = rooms.join(', ') + more;
  const short = shortId(connection.id);
  const [first, ...others] = factTexts(facts);
  if (first !== undefined) others.push(address);
  const state = [isBlocked ? 'blocked' : '', dropped > 0 ? `${count(dropped)} dropped` : ''];
  fill(
    row,
    {
      path: readablePath(connection.path),
      id: short,
      process,
      who: first ?? address,
      others: others.join(', '),
      from: agent(connection.userAgent),
      rooms: list || '–',
      age: duration(at - connection.openedAt),
      rate: `${rate(connection.eventsPerSecond)}/s`,
      events: `${count(connection.sentEvents)} sent`,
      // Of a client that reads, nothing waits for long.
      waiting: isBlocked ? bytes(connection.bufferedBytes) : '–',
      slow: state.filter((text) => text !== '').join(' · '),
    },
    {
      path: connection.path,
      id: connection.id,
      from: connection.userAgent,
      rooms: list,
      events: bytes(connection.sentBytes),
    },
  );
  row.dataset.process = connection.process;
  row.toggleAttribute('data-slow', isSlow(connection));
  row.toggleAttribute('data-inspector', connection.isInspector);
  const [revokeButton, closeButton] = row.querySelectorAll('button');
  closeButton.hidden = connection.isInspector;
  closeButton.setAttribute('aria-label', `Close connection ${short}`);
  const { revokeBy } = connection;
  revokeButton.hidden = revokeBy === null || connection.isInspector;
  if (revokeBy === null) return;
  revokeButton.dataset.fact = revokeBy;
  revokeButton.dataset.value = JSON.stringify(facts[revokeBy]);
  revokeButton.setAttribute(
    'aria-label',
    `Revoke ${revokeBy} ${facts[revokeBy]}, connection ${short}`,
  );
}

panel.addEventListener('click', ({ target }) => {
  if (!target.matches('button')) return;
  const row = target.closest('tr');
  if (target.dataset.action === 'revoke') void revoke(target.dataset);
  else void close(row.dataset);
});

async function close({ key, process }) {
  try {
    await post(`/connections/${key}/close?${new URLSearchParams({ process })}`);
    say(`Closed connection ${shortId(key)}`);
  } catch (error) {
    say(`Not closed: ${error.message}`);
  }
}

async function revoke({ fact, value }) {
  const who = `${fact} ${JSON.parse(value)}`;
  const text =
    `This ends all connections of ${who}, in every process. ` +
    'They may come back if your guards still let them in.';
  if (!(await confirmed({ title: `Revoke ${who}?`, text, action: 'Revoke' }))) return;
  try {
    await post(`/revoke?${new URLSearchParams({ fact, value })}`);
    say(`Revoked ${who}`);
  } catch (error) {
    say(`Not revoked: ${error.message}`);
  }
}
