const MAX_LISTED = 100;

const STATES = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  refused: 'Refused',
};

const find = (id) => document.getElementById(id);

let count = 0;

const source = new EventSource(find('stream').href);
find('stream').textContent = source.url;

source.addEventListener('open', () => show('live'));
source.addEventListener('error', () => {
  // Nothing to be done: the browser comes back by itself. Only a refusal is final; `close()` here
  // would make every lost connection so.
  show(source.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting');
});

// A message without a type comes as `message`; one with a type only to those who listen for it.
for (const type of ['message', 'update', 'notification']) source.addEventListener(type, list);

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void send(new FormData(event.target).get('text'));
});

function show(state) {
  find('state').dataset.state = state;
  find('state-text').textContent = STATES[state];
}

/** Newest first. Everything is set as text: markup in it is shown and never run. */
function list({ type, data }) {
  const { time, text } = JSON.parse(data);
  const entry = find('entry').content.firstElementChild.cloneNode(true);
  entry.dataset.type = type;
  entry.querySelector('.type').textContent = type;
  entry.querySelector('.text').textContent = text;
  entry.querySelector('time').textContent = new Date(time).toLocaleTimeString('en-GB');
  find('list').prepend(entry);
  find('count').textContent = count += 1;
  while (find('list').children.length > MAX_LISTED) find('list').lastElementChild.remove();
}

async function send(text) {
  let problem = '';
  try {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ text });
    const response = await fetch('updates', { method: 'POST', headers, body });
    if (!response.ok) problem = (await response.json()).message;
  } catch {
    problem = 'The server does not answer.';
  }
  find('problem').textContent = problem;
  find('problem').hidden = problem === '';
}
