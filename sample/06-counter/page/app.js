import { find, openStream } from './shared/stream.js';

let source;
let opened = 0;

find('again').addEventListener('click', begin);
begin();

function begin() {
  find('again').disabled = true;
  opened = 0;
  // It may not have come back yet to be told.
  source?.close();
  source = openStream('counter', { message: ({ data }) => show(Number(data)) });
  source.addEventListener('open', () => (opened += 1));
  source.addEventListener('error', () => {
    // Closed, not reconnecting: the answer to its return was 204.
    if (source.readyState === EventSource.CLOSED)
      tell('The browser asked again, and was told: no more.');
  });
  source.addEventListener('sse-end', () => {
    tell('That was all.');
    find('again').disabled = false;
  });
}

function show(count) {
  tell(opened === 1 ? 'Counting' : 'Counting once more, which should not be');
  find('count').textContent = count;
  find('ring').style.strokeDasharray = `${count} 10`;
}

function tell(text) {
  find('story').textContent = text;
}
