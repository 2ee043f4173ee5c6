import { find, openStream, post } from './shared/stream.js';

const RANGES = { temperature: [0, 40], humidity: [0, 100] };

openStream('readings', {
  temperature: show,
  humidity: show,
  failed: ({ data }) => {
    find('last-word').textContent = `It said: ${JSON.parse(data).reason}.`;
  },
});

find('break').addEventListener('click', () => void post('readings/break'));

function show({ type, data }) {
  const { value, unit } = JSON.parse(data);
  const [least, most] = RANGES[type];
  const percent = ((value - least) / (most - least)) * 100;
  find(type).textContent = `${value} ${unit}`;
  find(`${type}-dial`).style.strokeDasharray = `${percent} 200`;
}
