import { timeOf } from './shared/elements.js';
import { find, make, openStream, post } from './shared/stream.js';

const SHOWN = 50;
const tabs = [...document.querySelectorAll('[data-room]')];

let source;
let room;

for (const tab of tabs) tab.addEventListener('click', () => enter(tab.dataset.room));
find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void say(event.target.elements);
});
enter('lobby');

function enter(name) {
  room = name;
  source?.close();
  find('said').replaceChildren();
  find('events').replaceChildren();
  for (const tab of tabs) tab.ariaPressed = String(tab.dataset.room === room);
  source = openStream(`rooms/${room}`, { said: ({ data }) => show(JSON.parse(data)) });
}

async function say({ name, text }) {
  const answer = await post(`rooms/${room}`, { name: name.value, text: text.value });
  if (answer !== undefined) text.value = '';
}

function show({ name, text, at }) {
  const isOwn = name === find('form').elements.name.value;
  const entry = make('li', isOwn ? 'own' : '');
  entry.append(make('span', 'who', `${name}, ${timeOf(at)}`), text);
  find('said').append(entry);
  while (find('said').children.length > SHOWN) find('said').firstElementChild.remove();
  find('said').scrollTop = find('said').scrollHeight;
}
