import { timeOf } from './shared/elements.js';
import { find, make, openStream } from './shared/stream.js';

const rows = new Map();

openStream('weather', { weather: ({ data }) => show(data) });

function show(text) {
  find('xml').textContent = text;
  const xml = new DOMParser().parseFromString(text, 'text/xml');
  const [town, celsius, wind, time] = [...xml.documentElement.children].map(
    ({ textContent }) => textContent,
  );
  const row = make('tr');
  row.append(...[town, celsius, wind, timeOf(time)].map((value) => make('td', '', value)));
  if (rows.has(town)) rows.get(town).replaceWith(row);
  else find('towns').append(row);
  rows.set(town, row);
}
