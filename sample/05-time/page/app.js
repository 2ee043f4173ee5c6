import { find, openStream } from './shared/stream.js';

openStream('time', { message: ({ data }) => show(new Date(data)) });

function show(time) {
  const text = time.toISOString();
  const seconds = time.getTime() / 1_000;
  turn('second', seconds / 60);
  turn('minute', seconds / 3_600);
  turn('hour', seconds / 43_200);
  find('time').textContent = text.slice(11, 19);
  find('date').textContent = `${text.slice(0, 10)}, UTC`;
}

function turn(hand, turns) {
  find(hand).setAttribute('transform', `rotate(${(turns % 1) * 360})`);
}
