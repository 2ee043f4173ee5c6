import { find, openStream } from './shared/stream.js';

const DRAWN = 60;
const [WIDTH, HEIGHT] = [600, 220];

let source;
let prices = [];

const [first] = find('symbols').children;
find('symbols').addEventListener('click', ({ target }) => {
  if (target.matches('button')) choose(target.textContent);
});
choose(first.textContent);

function choose(symbol) {
  source?.close();
  prices = [];
  find('events').replaceChildren();
  for (const button of find('symbols').children) {
    button.ariaPressed = String(button.textContent === symbol);
  }
  source = openStream(`stocks/${symbol}`, {
    price_update: ({ data }) => show(JSON.parse(data).price),
  });
}

function show(price) {
  prices = [...prices, price].slice(-DRAWN);
  const change = ((price - prices[0]) / prices[0]) * 100;
  find('price').textContent = price.toFixed(2);
  find('change').textContent = `${change < 0 ? '▼' : '▲'} ${Math.abs(change).toFixed(2)} %`;
  find('change').dataset.trend = change < 0 ? 'down' : 'up';
  draw();
}

function draw() {
  const [least, most] = [Math.min(...prices), Math.max(...prices)];
  const points = prices.map((price, index) => {
    const x = (index / Math.max(1, prices.length - 1)) * WIDTH;
    const y = HEIGHT - 10 - ((price - least) / (most - least || 1)) * (HEIGHT - 20);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  find('line').setAttribute('points', points.join(' '));
  find('area').setAttribute('points', `0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`);
  find('range').textContent =
    `${least.toFixed(2)} to ${most.toFixed(2)} in the last ${prices.length} prices`;
}
