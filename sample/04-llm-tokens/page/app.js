// One job at a time. Its id is in the address, and what came of it is kept in this tab, so that a
// reload goes on there.
import { find } from './shared/elements.js';
import { showState } from './shared/state.js';

const ENDINGS = {
  finished: 'This is the whole answer.',
  stopped: 'Stopped.',
  failed: 'The model failed: this is what it said before.',
  gone: 'The server does not know this job any more.',
};

let source;
let job;

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ask(find('question').value);
});
for (const example of document.querySelectorAll('.examples button')) {
  example.addEventListener('click', () => void ask(example.textContent));
}
find('reload').addEventListener('click', () => job.id !== '' && location.reload());
find('stop').addEventListener('click', () => isRunning() && void post(`jobs/${job.id}/stop`));
addEventListener('hashchange', load);
load();

async function ask(prompt) {
  const answer = await post('jobs', { prompt });
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

/** The job in the address, from where this tab has read it to. */
function load() {
  source?.close();
  const id = location.hash.slice(1);
  const fresh = {
    id,
    prompt: '',
    text: '',
    known: 0,
    received: 0,
    snapshots: 0,
    missing: 0,
    duplicated: 0,
    loads: 0,
  };
  const kept = JSON.parse(sessionStorage.getItem('llm-job'));
  job = kept?.id === id ? kept : fresh;
  job.loads += 1;
  show();
  if (isRunning()) connect();
  else if (id !== '') showEnd();
}

function isRunning() {
  return job.id !== '' && job.end === undefined;
}

function connect() {
  // Once the stream is open the browser comes back by itself, with its last event ID. A page that
  // is loaded again has to send it.
  const after = job.cursor === undefined ? '' : `?lastEventId=${encodeURIComponent(job.cursor)}`;
  const opened = (source = new EventSource(`jobs/${job.id}/events${after}`));
  showState('connecting');
  const on = (type, take) =>
    opened.addEventListener(type, ({ data, lastEventId }) => {
      take(JSON.parse(data));
      // Together with what it brought: a reload finds both, or neither.
      job.cursor = lastEventId || job.cursor;
      sessionStorage.setItem('llm-job', JSON.stringify(job));
      show();
    });
  on('answer', ({ prompt, text }) => {
    Object.assign(job, { prompt, text, known: text.length });
    job.snapshots += 1;
  });
  on('token', ({ at, text }) => {
    // It was published while the answer so far was made, and is in there.
    if (at < job.known) return;
    if (at > job.text.length) job.missing += 1;
    if (at < job.text.length) job.duplicated += 1;
    job.text = job.text.slice(0, at) + text;
    job.received += 1;
  });
  on('end', ({ reason }) => (job.end = reason));
  opened.addEventListener('open', () => showState('live'));
  opened.addEventListener('error', () => {
    if (opened.readyState !== EventSource.CLOSED && isRunning()) {
      showState('reconnecting');
      return;
    }
    // After the end the browser asks once more, and the server answers that there is nothing.
    job.end ??= 'gone';
    show();
    showEnd();
  });
}

function showEnd() {
  showState(job.end === 'gone' ? 'refused' : 'ended');
}

function show() {
  find('refused').hidden = true;
  const thread = find('thread');
  const wasAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  document.body.dataset.end = job.end ?? '';
  find('prompt').textContent = job.prompt;
  find('answer').textContent = job.text;
  find('ending').textContent = ENDINGS[job.end] ?? '';
  find('facts').textContent = facts();
  find('result').hidden = job.id === '';
  find('prompt').hidden = job.prompt === '';
  if (job.id !== '') find('second').href = `#${job.id}`;
  find('reload').setAttribute('aria-disabled', job.id === '');
  find('stop').setAttribute('aria-disabled', !isRunning());
  if (wasAtEnd) thread.scrollTop = thread.scrollHeight;
}

/** What this tab got, in words. */
function facts() {
  const { received, missing, duplicated, known, loads } = job;
  const tokens = `${received} ${received === 1 ? 'token' : 'tokens'} received`;
  const said = [`${tokens}: ${missing} missing, ${duplicated} duplicated.`];
  if (known > 0) said.push(`The first ${known} characters came in one piece.`);
  if (loads > 1) said.push(`Reloaded ${loads === 2 ? 'once' : `${loads - 1} times`}.`);
  return said.join(' ');
}
