import { find, fromTemplate } from './shared/elements.js';
import { openStream } from './shared/stream.js';

openStream('samples', { samples: ({ data }) => show(JSON.parse(data)) });

function show(samples) {
  // Only what has changed: a link that somebody is about to press stays where it is.
  const entries = new Map([...find('samples').children].map((entry) => [entry.id, entry]));
  for (const sample of samples) {
    const entry = entries.get(sample.name) ?? entryOf(sample);
    const streams = entry.querySelector('.streams');
    streams.textContent = sample.streams === 1 ? '1 stream' : `${sample.streams} streams`;
    streams.dataset.any = sample.streams > 0;
    entry.querySelector('a').href = `${location.protocol}//${location.hostname}:${sample.port}/`;
    entry.querySelector('.port').textContent = `${location.hostname}:${sample.port}`;
    entries.delete(sample.name);
  }
  for (const gone of entries.values()) gone.remove();
}

function entryOf({ name, number, title, about }) {
  const entry = fromTemplate('sample');
  entry.id = name;
  entry.querySelector('.number').textContent = String(number).padStart(2, '0');
  entry.querySelector('h2').textContent = title;
  entry.querySelector('.about').textContent = about;
  find('samples').append(entry);
  return entry;
}
