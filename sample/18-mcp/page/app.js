import { find, make } from './shared/elements.js';
import { showState } from './shared/state.js';

const VERSION = '2025-11-25';
const ACCEPT = 'application/json, text/event-stream';
const MAX_LISTED = 40;
const SHOWN = 5;
const STEPS = 20;

const headers = { accept: ACCEPT, 'content-type': 'application/json' };
let lastId = 0;

find('start').addEventListener('click', () => void call());
find('curl').textContent = `curl -N ${new URL('mcp', location.href).href}`;
try {
  await begin();
  showState('live');
  await call();
} catch {
  showState('refused');
}

/** What a client does first: both say what they can do. */
async function begin() {
  const clientInfo = { name: 'page', version: '1.0.0' };
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo };
  await request('initialize', params);
  headers['mcp-protocol-version'] = VERSION;
  await send({ method: 'notifications/initialized' });
}

async function call() {
  const show = row(lastId);
  const params = {
    name: 'count',
    arguments: { to: STEPS, stepMs: 50 },
    _meta: { progressToken: lastId + 1 },
  };
  const { content } = await request('tools/call', params, ({ method, params: report }) => {
    if (method === 'notifications/progress') show(report.progress, `${report.progress}`);
  });
  show(STEPS, content[0].text);
}

/** Resolves with the result; `onMessage` gets what comes before. */
async function request(method, params, onMessage = () => {}) {
  const id = (lastId += 1);
  const response = await send({ id, method, params });
  headers['mcp-session-id'] = response.headers.get('mcp-session-id');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('The stream has ended');
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/, 2)));
      list(fields);
      if (!fields.get('data')) continue;
      const message = JSON.parse(fields.get('data'));
      if (message.id === id) return message.result;
      onMessage(message);
    }
  }
}

async function send(message) {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  const response = await fetch('mcp', { method: 'POST', headers, body });
  find('problem').hidden = response.ok;
  if (!response.ok) find('problem').textContent = await response.text();
  return response;
}

function list(fields) {
  const entry = make('li');
  entry.append(
    make('span', 'type', fields.get('event') ?? 'message'),
    make('span', 'id code', fields.get('id')),
    make('span', 'data code', fields.get('data')),
  );
  const events = find('events');
  events.append(entry);
  while (events.children.length > MAX_LISTED) events.firstElementChild.remove();
  events.scrollTop = events.scrollHeight;
}

/** A row for a call. Answers what shows how far it is. */
function row(number) {
  const [entry, header] = [make('li'), make('header')];
  const [percent, bar] = [make('span', 'percent'), make('progress')];
  bar.max = STEPS;
  bar.value = 0;
  bar.ariaLabel = `Call ${number}`;
  header.append(make('strong', '', 'count'), percent);
  entry.append(header, bar);
  find('calls').prepend(entry);
  while (find('calls').children.length > SHOWN) find('calls').lastElementChild.remove();
  return (progress, text) => {
    percent.textContent = text;
    bar.value = progress;
    entry.classList.toggle('done', text.length > 2);
  };
}
