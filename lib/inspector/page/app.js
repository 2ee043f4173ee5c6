// From the inspector's stream to its page. Text only ever becomes text: the page's policy allows no HTML from here.

const base = location.pathname.replace(/\/+$/, '');
const find = (id) => document.getElementById(id);
const fromTemplate = (id) => find(id).content.firstElementChild.cloneNode(true);

// What figures are written with

const whole = new Intl.NumberFormat('en');
const count = (value) => whole.format(Math.round(value));
const rate = (value) => (value < 10 ? value.toFixed(1) : count(value));
const plural = (value, one) => `${count(value)} ${one}${value === 1 ? '' : 's'}`;
const clock = (at) => new Date(at).toLocaleTimeString('en-GB');

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  for (; value >= 1024 && index < units.length - 1; index++) value /= 1024;
  return `${index === 0 ? Math.round(value) : value.toPrecision(value < 1000 ? 3 : 4)} ${units[index]}`;
}

function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [days, hours, minutes] = [86_400, 3_600, 60].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** Most programs claim to be several others: the one that they are is the first of these. */
const PROGRAMS = ['Edg', 'OPR', 'Firefox', 'HeadlessChrome', 'Chrome', 'Version'];

function agent(text) {
  for (const name of PROGRAMS) {
    const version = text.match(new RegExp(`\\b${name}/(\\d+)`))?.[1];
    if (version === undefined) continue;
    const called = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' }[name] ?? name;
    const system = text.match(/Android|iPhone|iPad|Windows|Mac OS|Linux/)?.[0];
    return `${called} ${version}${system === undefined ? '' : `, ${system}`}`;
  }
  return text === '' ? 'no user agent' : text.split(' ', 1)[0];
}

// The figures on top, each with its last minute

const PLOT_LENGTH = 60;

const TILES = [
  {
    title: 'Connections',
    value: ({ connections }) => connections.open,
    format: count,
    detail: ({ connections }) => `${count(connections.blocked)} blocked`,
  },
  tileOf('Delivered', 'delivered', 'events', rate, count),
  tileOf('Sent', 'bytes', '', bytes, bytes),
  tileOf('Published here', 'published', 'events', rate, count),
  tileOf('Opened', 'opened', 'streams', rate, count),
  {
    title: 'Waiting for clients',
    value: ({ connections }) => connections.bufferedBytes,
    format: bytes,
    detail: ({ traffic }) => `${plural(traffic?.total.dropped ?? 0, 'event')} dropped`,
  },
].map((tile) => {
  const element = fromTemplate('tile');
  element.querySelector('dt').textContent = tile.title;
  find('tiles').append(element);
  return { ...tile, element, values: [] };
});

function tileOf(title, name, unit, format, formatTotal) {
  return {
    title,
    value: ({ traffic }) => traffic?.perSecond[name] ?? 0,
    format: (value) => `${format(value)}/s`,
    detail: ({ traffic }) => `${formatTotal(traffic?.total[name] ?? 0)} ${unit}`.trimEnd(),
  };
}

function showTile({ element, value, format, detail, values }, state) {
  values.push(value(state));
  if (values.length > PLOT_LENGTH) values.shift();
  write(element.querySelector('.figure'), format(values.at(-1)));
  write(element.querySelector('.detail'), detail(state));
  const top = Math.max(...values) || 1;
  const from = PLOT_LENGTH - values.length;
  const points = values.map((one, index) => `${from + index},${19 - (one / top) * 18}`);
  element.querySelector('polyline').setAttribute('points', points.join(' '));
  const area = [`${from},20`, ...points, `${PLOT_LENGTH - 1},20`];
  element.querySelector('polygon').setAttribute('points', area.join(' '));
}

// Lists

function write(element, text, title) {
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}

function fill(row, texts, titles = {}) {
  for (const [field, text] of Object.entries(texts)) {
    write(row.querySelector(`[data-field=${field}]`), text, titles[field]);
  }
}

const pointer = matchMedia('(hover: hover)');

/** Or a row would slip away under the pointer, and another stream than the one that was meant would be closed. */
function isHeld(list) {
  return (
    (pointer.matches && list.matches('tbody:hover')) || list.matches('tbody:has(:focus-visible)')
  );
}

/** Rows stay the same elements, so that focus and selection survive. */
function showRows(panel, template, items, fillRow) {
  const list = panel.querySelector('tbody, ol');
  const held = isHeld(list);
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = [];
  for (const [key, item] of items) {
    const row = known.get(key) ?? fromTemplate(template);
    if (held && !known.delete(key)) continue;
    known.delete(key);
    row.dataset.key = key;
    delete row.dataset.gone;
    fillRow(row, item);
    rows.push(row);
  }
  for (const row of known.values()) {
    if (held) row.dataset.gone = '';
    else row.remove();
  }
  if (!held) {
    rows.forEach((row, index) => {
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
  }
  panel.querySelector('.empty').hidden = list.children.length > 0;
}

function fillConnection(row, connection, at) {
  const { rooms, roomCount, droppedEvents: dropped, isBlocked } = connection;
  const more = roomCount > rooms.length ? `, and ${count(roomCount - rooms.length)} more` : '';
  const list = rooms.join(', ') + more;
  const short = connection.id.slice(0, 8);
  fill(
    row,
    {
      path: connection.path,
      id: short,
      address: connection.address,
      agent: agent(connection.userAgent),
      rooms: list || '–',
      age: duration(at - connection.openedAt),
      rate: rate(connection.eventsPerSecond),
      events: count(connection.sentEvents),
      bytes: bytes(connection.sentBytes),
      waiting: connection.bufferedBytes === 0 ? '–' : bytes(connection.bufferedBytes),
      blocked: isBlocked ? 'blocked' : '',
      dropped: dropped > 0 ? `${count(dropped)} dropped` : '',
    },
    { path: connection.path, id: connection.id, agent: connection.userAgent, rooms: list },
  );
  row.toggleAttribute('data-blocked', isBlocked);
  row.toggleAttribute('data-inspector', connection.isInspector);
  const button = row.querySelector('button');
  button.hidden = connection.isInspector;
  button.setAttribute('aria-label', `Close connection ${short}`);
}

function fillRoom(row, { hub, name, connections, eventsPerSecond }) {
  const texts = { name, readers: count(connections), rate: rate(eventsPerSecond) };
  fill(row, { ...texts, hub: hub === '' ? '' : `hub ${hub}` }, { name });
  const button = row.querySelector('button');
  button.hidden = connections === 0;
  button.setAttribute('aria-label', `Close room ${name}`);
}

function fillNote(row, { at, kind, text, connection, times }) {
  write(row.querySelector('time'), clock(at));
  row.dataset.kind = kind;
  const texts = { kind, text, connection: connection?.slice(0, 8) ?? '' };
  fill(row, { ...texts, times: times > 1 ? `× ${count(times)}` : '' }, { text });
}

function showCounts({ traffic }) {
  const { since, total, closes, refusals, gaps } = traffic;
  write(find('counts').querySelector('.note'), `since ${clock(since)}`);
  const byReason = (what, counts) =>
    Object.entries(counts)
      .sort(([, one], [, other]) => other - one)
      .map(([reason, times]) => [`${what}: ${reason}`, times]);
  const lines = [
    ...byReason('Closed', closes),
    ...byReason('Refused', refusals),
    ...byReason('Gap', gaps),
    ['Events replayed', total.replayed],
    ['Events dropped', total.dropped],
  ];
  const list = find('counts').querySelector('dl');
  while (list.children.length > lines.length) list.lastElementChild.remove();
  while (list.children.length < lines.length) list.append(fromTemplate('count'));
  lines.forEach(([name, times], index) => {
    write(list.children[index].querySelector('dt'), name);
    write(list.children[index].querySelector('dd'), count(times));
  });
}

function showTroubles(hubs) {
  const lines = hubs
    .filter(({ trouble }) => trouble !== null)
    .map(({ name, trouble }) => `${name === '' ? 'The default hub' : `Hub ${name}`}: ${trouble}`);
  const list = find('troubles');
  list.hidden = lines.length === 0;
  // An alert is read out when it changes.
  if (list.textContent === lines.join('')) return;
  list.replaceChildren(
    ...lines.map((line) => {
      const item = document.createElement('li');
      item.textContent = line;
      return item;
    }),
  );
}

const leftOut = ({ list, leftOut: others }) =>
  others === 0 ? '' : `, here the busiest ${list.length}`;

function show(state) {
  const { at, connections, rooms, hubs, traffic } = state;
  const { pid, host } = state.process;
  document.title = `${plural(connections.open, 'connection')}, event streams`;
  write(find('process'), `Process ${pid} on ${host}, ${clock(at)}`);
  showTroubles(hubs);
  for (const tile of TILES) showTile(tile, state);
  const { open, inspectors } = connections;
  const note = `${count(open)} and ${plural(inspectors, 'inspector')}`;
  write(find('connections').querySelector('.note'), note + leftOut(connections));
  write(find('rooms').querySelector('.note'), count(rooms.count) + leftOut(rooms));
  const byId = connections.list.map((one) => [one.id, one]);
  showRows(find('connections'), 'connection', byId, (row, one) => fillConnection(row, one, at));
  const byName = rooms.list.map((one) => [JSON.stringify([one.hub, one.name]), one]);
  showRows(find('rooms'), 'room', byName, fillRoom);
  if (traffic === null) return;
  const byText = traffic.notes.map((one) => [
    JSON.stringify([one.kind, one.text, one.connection]),
    one,
  ]);
  showRows(find('notes'), 'note', byText, fillNote);
  showCounts(state);
}

// What the buttons do

async function post(path, done) {
  const headers = { 'X-Sse-Inspector': '1' };
  try {
    const response = await fetch(base + path, { method: 'POST', headers });
    if (!response.ok) throw new Error((await response.json()).message ?? response.statusText);
    say(done);
  } catch (error) {
    say(`Not done: ${error.message}`);
  }
}

let silence;

function say(text) {
  find('said').textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (find('said').textContent = ''), 6_000);
}

find('connections').addEventListener('click', ({ target }) => {
  if (!target.matches('button')) return;
  const { key } = target.closest('tr').dataset;
  void post(`/connections/${key}/close`, `Closed connection ${key.slice(0, 8)}`);
});

let roomToClose;

find('rooms').addEventListener('click', ({ target }) => {
  if (!target.matches('button')) return;
  const row = target.closest('tr');
  const [hub, room] = JSON.parse(row.dataset.key);
  roomToClose = { hub, room };
  const readers = row.querySelector('[data-field=readers]').textContent;
  find('confirm-title').textContent = `Close ${room}?`;
  find('confirm-text').textContent =
    `This ends each stream in the room: ${readers} now. Clients come back, unless your app refuses them.`;
  find('confirm').showModal();
});
find('cancel').addEventListener('click', () => find('confirm').close());
find('close-room').addEventListener('click', () => {
  find('confirm').close();
  const query = new URLSearchParams(roomToClose);
  void post(`/rooms/close?${query}`, `Closed room ${roomToClose.room}`);
});

let isPaused = false;

find('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  find('pause').textContent = isPaused ? 'Go on' : 'Pause';
  find('pause').setAttribute('aria-pressed', String(isPaused));
});

// The stream

const STATES = {
  connecting: 'Connecting',
  open: 'Live',
  reconnecting: 'Reconnecting',
  closed: 'Closed',
};

function showConnection(state) {
  document.body.dataset.state = state;
  find('state').dataset.state = state;
  find('state').textContent = STATES[state];
}

function connect() {
  find('ended').hidden = true;
  showConnection('connecting');
  const source = new EventSource(`${base}/events`);
  source.addEventListener('open', () => showConnection('open'));
  source.addEventListener('state', ({ data }) => {
    if (!isPaused) show(JSON.parse(data));
  });
  source.addEventListener('error', () => {
    // It comes back by itself unless the server refused.
    if (source.readyState === EventSource.CLOSED) void explainEnd();
    else showConnection('reconnecting');
  });
}

/** An EventSource does not tell why it was refused: a second request does. */
async function explainEnd() {
  showConnection('closed');
  let reason = 'The server ended the stream.';
  try {
    const response = await fetch(`${base}/state`);
    if (!response.ok) reason = `The server refuses: ${response.status} ${response.statusText}.`;
  } catch (error) {
    reason = `The server does not answer: ${error.message}.`;
  }
  find('ended-text').textContent = reason;
  find('ended').hidden = false;
}

find('reconnect').addEventListener('click', connect);
connect();
