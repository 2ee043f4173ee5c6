// One job at a time: its id is in the address, what came of it is kept in this tab, so that a reload goes on from there.

const STATES = {
  idle: 'Ready',
  connecting: 'Connecting',
  open: 'Answering',
  reconnecting: 'Reconnecting',
  closed: 'Closed',
};

const ENDINGS = {
  finished: 'This is the whole answer.',
  stopped: 'Stopped.',
  failed: 'The model failed: this is what it said before.',
  gone: 'The server does not know this job any more.',
};

const find = (id) => document.getElementById(id);

let source;
let job;

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ask(find('question').value);
});
find('stop').addEventListener('click', () => void post(`jobs/${job.id}/stop`));
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

/** Null where the server is away: the state of the connection says so already. */
function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  return fetch(path, { method: 'POST', headers, body: body && JSON.stringify(body) }).catch(
    () => null,
  );
}

/** The job in the address: from where this tab has read it to. */
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
    doubled: 0,
  };
  const kept = JSON.parse(sessionStorage.getItem('job'));
  job = kept?.id === id ? kept : { ...fresh, loads: 0 };
  job.loads += 1;
  show();
  if (id === '') return showState('idle');
  if (job.end !== undefined) return showState('idle');
  connect();
}

function connect() {
  // Once the stream is open the browser comes back by itself, with its last event ID; a page that is loaded again says it so.
  const after = job.cursor === undefined ? '' : `?lastEventId=${encodeURIComponent(job.cursor)}`;
  const opened = (source = new EventSource(`jobs/${job.id}/events${after}`));
  showState('connecting');
  const on = (type, take) =>
    opened.addEventListener(type, ({ data, lastEventId }) => {
      take(JSON.parse(data));
      // In one go with what it brought: a reload finds both, or neither.
      job.cursor = lastEventId || job.cursor;
      sessionStorage.setItem('job', JSON.stringify(job));
      show();
    });
  on('answer', ({ prompt, text }) => {
    Object.assign(job, { prompt, text, known: text.length });
    job.snapshots += 1;
  });
  on('token', ({ at, text }) => {
    // Said while the answer so far was made: it is in there.
    if (at < job.known) return;
    if (at > job.text.length) job.missing += 1;
    if (at < job.text.length) job.doubled += 1;
    job.text = job.text.slice(0, at) + text;
    job.received += 1;
  });
  on('end', ({ reason }) => (job.end = reason));
  opened.addEventListener('open', () => showState('open'));
  opened.addEventListener('error', () => {
    // After the end the browser asks once more, and is told that there is nothing.
    if (opened.readyState !== EventSource.CLOSED) {
      return showState(job.end === undefined ? 'reconnecting' : 'idle');
    }
    if (job.end === undefined) job.end = 'gone';
    show();
    showState('idle');
  });
}

function show() {
  find('refused').hidden = true;
  const isRunning = job.id !== '' && job.end === undefined;
  const thread = find('thread');
  const focused = document.activeElement;
  const wasAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  document.body.dataset.end = job.end ?? '';
  find('prompt').textContent = job.prompt;
  find('answer').textContent = job.text;
  find('ending').textContent = ENDINGS[job.end] ?? '';
  find('received').textContent = job.received;
  find('loads').textContent = job.loads;
  find('snapshots').textContent = job.snapshots;
  find('check').textContent = `${job.missing} missing, ${job.doubled} doubled`;
  find('second').href = `#${job.id}`;
  find('empty').hidden = job.id !== '';
  for (const id of ['thread', 'facts', 'hint']) find(id).hidden = job.id === '';
  find('prompt').hidden = job.prompt === '';
  find('stop').hidden = !isRunning;
  find('ask').hidden = isRunning;
  // A button that goes would take the keyboard with it.
  if (focused.hidden) find('question').focus();
  if (wasAtEnd) thread.scrollTop = thread.scrollHeight;
}

function showState(state) {
  document.body.dataset.state = state;
  find('state').dataset.state = state;
  find('state-text').textContent = STATES[state];
}
