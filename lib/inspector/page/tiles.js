// The figures on top, each with its last two minutes.

import { find, fromTemplate, write } from './elements.js';
import { bytes, count, plural, rate, shortClock } from './format.js';

const PLOT_LENGTH = 120;

const TILES = [
  {
    title: 'Connections',
    sample: 'open',
    value: ({ connections }) => connections.open,
    format: count,
    detail: ({ connections }) => `${count(connections.blocked)} blocked`,
  },
  tileOf('Delivered', 'delivered', rate, count),
  tileOf('Sent', 'bytes', bytes, bytes),
  tileOf('Published', 'published', rate, count),
  tileOf('Opened', 'opened', rate, count),
  {
    title: 'Waiting for clients',
    sample: 'bufferedBytes',
    value: ({ connections }) => connections.bufferedBytes,
    format: bytes,
    detail: ({ traffic }) => `${plural(traffic?.total.dropped ?? 0, 'event')} dropped`,
  },
].map((tile) => {
  const element = fromTemplate('tile');
  element.querySelector('dt').textContent = tile.title;
  find('tiles').append(element);
  return { ...tile, element, values: [] };
});

function tileOf(title, name, format, formatTotal) {
  return {
    title,
    sample: name,
    isCounted: true,
    value: ({ traffic }) => traffic?.perSecond[name] ?? 0,
    format: (value) => `${format(value)}/s`,
    detail: ({ traffic }) =>
      traffic === null
        ? ''
        : `${formatTotal(traffic.total[name])} since ${shortClock(traffic.since)}`,
  };
}

/** What was before the page was opened. */
export function beginPlots(samples) {
  for (const tile of TILES) {
    const { element, values } = tile;
    // What is counted only while a page is open has no past.
    tile.values = [...(samples[tile.sample] ?? []), ...values].slice(-PLOT_LENGTH);
    if (tile.values.length > 0) plot(element, tile.values);
  }
}

/** Other processes have other figures. */
export function clearPlots() {
  for (const tile of TILES) tile.values = [];
}

/** The first rates of a count that has just begun are too low. */
const SETTLED_MS = 2_500;

export function showTiles(state) {
  const { at, traffic } = state;
  const isSettled = traffic !== null && at - traffic.since > SETTLED_MS;
  for (const { element, value, format, detail, values, isCounted = false } of TILES) {
    const isEarly = isCounted && !isSettled && values.length > 0;
    values.push(isEarly ? values.at(-1) : value(state));
    if (values.length > PLOT_LENGTH) values.shift();
    write(element.querySelector('.figure'), format(values.at(-1)));
    write(element.querySelector('.detail'), detail(state));
    plot(element, values);
  }
}

function plot(element, values) {
  const top = Math.max(...values) || 1;
  const from = PLOT_LENGTH - values.length;
  const points = values.map((one, index) => `${from + index},${19 - (one / top) * 18}`);
  element.querySelector('polyline').setAttribute('points', points.join(' '));
  const area = [`${from},20`, ...points, `${PLOT_LENGTH - 1},20`];
  element.querySelector('polygon').setAttribute('points', area.join(' '));
}
