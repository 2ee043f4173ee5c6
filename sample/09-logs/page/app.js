import { find, make, openStream, post } from './shared/stream.js';

const SHOWN = 200;

openStream('logs', { line: ({ data }) => add(data, levelOf(data)) });

find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void post('logs', { line: new FormData(event.target).get('line') });
});
find('rotate').addEventListener('click', () => void change('rotate', 'a new file'));
find('truncate').addEventListener('click', () => void change('truncate', 'emptied'));

async function change(path, what) {
  if (await post(`logs/${path}`)) add(`-- ${what} --`, 'note');
}

function add(line, className) {
  const log = find('log');
  log.append(make('li', className, line));
  while (log.children.length > SHOWN) log.firstElementChild.remove();
}

const levelOf = (line) => /\b(WARN|ERROR)\b/.exec(line)?.[0].toLowerCase();
