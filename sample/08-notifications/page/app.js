import { find, make, openStream, post } from './shared/stream.js';

const SHOWN = 5;

// Two users on one page, side by side. Each has a stream.
for (const [user, name] of [
  ['ben', 'Ben'],
  ['ann', 'Ann'],
]) {
  const listener = (event) => show(user, event);
  const listeners = { info: listener, warning: listener, alert: listener };
  openStream(`notifications/${user}`, listeners, name);
}

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { to, type, message } = event.target.elements;
  void post(`notifications/${to.value}`, { type: type.value, message: message.value });
});

function show(user, { type, data }) {
  const entry = make('li');
  entry.dataset.type = type;
  entry.append(make('strong', '', type), JSON.parse(data).message);
  find(user).prepend(entry);
  while (find(user).children.length > SHOWN) find(user).lastElementChild.remove();
}
