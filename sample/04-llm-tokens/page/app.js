// One answer at a time. Its id is in the address, and what came of it is kept in this tab, so that
// a reload goes on there.
import { find } from './shared/elements.js';
import { showState } from './shared/state.js';

const ENDINGS = {
  finished: 'This is the whole answer.',
  stopped: 'Stopped.',
  failed: 'The model failed: this is what it said before.',
  lost: 'The server has ended: this is what the model said before.',
  gone: 'The server does not know this answer any more.',
};

let source;
let current;

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ask(find('question').value);
});
for (const example of document.querySelectorAll('.examples button')) {
  example.addEventListener('click', () => void ask(example.textContent));
}
find('reload').addEventListener('click', () => current.id !== '' && location.reload());
find('stop').addEventListener(
  'click',
  () => isRunning() && void post(`answers/${current.id}/stop`),
);
addEventListener('hashchange', load);
load();

async function ask(prompt) {
  const answer = await post('answers', { prompt });
  if (!answer?.ok) {
    find('refused').hidden = false;
    return;
  }
  const { id } = await answer.json();
  find('question').value = '';
  // The rest follows the address, as in a tab that is opened with it.
  location.hash = id;
}

/** Null if the server is away: the state of the connection says so already. */
function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  return fetch(path, { method: 'POST', headers, body: body && JSON.stringify(body) }).catch(
    () => null,
  );
}

/** The answer in the address, from where this tab has read it to. */
function load() {
  source?.close();
  const id = location.hash.slice(1);
  const fresh = {
    id,
    prompt: '',
    text: '',
    received: 0,
    missing: 0,
    duplicated: 0,
    loads: 0,
  };
  const kept = JSON.parse(sessionStorage.getItem('llm-answer'));
  current = kept?.id === id ? kept : fresh;
  current.loads += 1;
  show();
  if (isRunning()) connect();
  else if (id !== '') showEnd();
}

function isRunning() {
  return current.id !== '' && current.end === undefined;
}

function connect() {
  // Once the stream is open the browser comes back by itself, with its last event ID. A page that
  // is loaded again has to send it.
  const after =
    current.cursor === undefined ? '' : `?lastEventId=${encodeURIComponent(current.cursor)}`;
  const opened = (source = new EventSource(`answers/${current.id}/events${after}`));
  showState('connecting');
  const on = (type, take) =>
    opened.addEventListener(type, ({ data, lastEventId }) => {
      take(JSON.parse(data));
      // Together with what it brought: a reload finds both, or neither.
      current.cursor = lastEventId || current.cursor;
      sessionStorage.setItem('llm-answer', JSON.stringify(current));
      show();
    });
  // The first event of an answer. It comes again if the server sends all of the answer again.
  on('question', ({ prompt }) => Object.assign(current, { prompt, text: '' }));
  on('token', ({ at, text }) => {
    if (at > current.text.length) current.missing += 1;
    if (at < current.text.length) current.duplicated += 1;
    current.text = current.text.slice(0, at) + text;
    current.received += 1;
  });
  on('run-end', ({ state }) => (current.end = state));
  opened.addEventListener('open', () => showState('live'));
  opened.addEventListener('error', () => {
    if (opened.readyState !== EventSource.CLOSED && isRunning()) {
      showState('reconnecting');
      return;
    }
    // After the end the browser asks once more, and the server answers that there is nothing.
    current.end ??= 'gone';
    show();
    showEnd();
  });
}

function showEnd() {
  showState(current.end === 'gone' ? 'refused' : 'ended');
}

function show() {
  find('refused').hidden = true;
  const thread = find('thread');
  const wasAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  document.body.dataset.end = current.end ?? '';
  find('prompt').textContent = current.prompt;
  find('answer').textContent = current.text;
  find('ending').textContent = ENDINGS[current.end] ?? '';
  find('facts').textContent = facts();
  find('result').hidden = current.id === '';
  find('prompt').hidden = current.prompt === '';
  if (current.id !== '') find('second').href = `#${current.id}`;
  find('reload').setAttribute('aria-disabled', current.id === '');
  find('stop').setAttribute('aria-disabled', !isRunning());
  if (wasAtEnd) thread.scrollTop = thread.scrollHeight;
}

/** What this tab got, in words. */
function facts() {
  const { received, missing, duplicated, loads } = current;
  const tokens = `${received} ${received === 1 ? 'token' : 'tokens'} received`;
  const said = [`${tokens}: ${missing} missing, ${duplicated} duplicated.`];
  if (loads > 1) said.push(`Reloaded ${loads === 2 ? 'once' : `${loads - 1} times`}.`);
  return said.join(' ');
}
