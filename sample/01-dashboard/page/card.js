// A room on the page: heading, legend and plot.
import { scaleOf } from './units.js';

const WINDOW_S = 60;
/** A hole in the line, where samples are missing for longer than this. */
const MAX_STEP_S = 2.5;
const FONT = '11px system-ui, sans-serif';

/** The newest sample of any room: all plots end there, so that they move together. */
const clock = { newest: 0 };
const dark = matchMedia('(prefers-color-scheme: dark)');
const cards = new Set();

dark.addEventListener('change', () => {
  for (const card of cards) card.draw();
});

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Card {
  element = document.querySelector('#card').content.firstElementChild.cloneNode(true);
  isPaused = false;
  #room;
  #parts;
  #plot;
  /** Seconds, and for each line its values. */
  #times = [];
  #lines = new Map();
  #newest;

  constructor(room) {
    this.#room = room;
    const find = (selector) => this.element.querySelector(selector);
    this.#parts = {
      headline: find('.headline'),
      note: find('.note'),
      legend: find('.legend'),
      plot: find('.plot'),
      unavailable: find('.unavailable'),
    };
    this.element.dataset.room = room.name;
    find('h2').textContent = room.title;
    this.#parts.plot.ariaLabel = `${room.title}: the last ${WINDOW_S} seconds as a plot`;
    new ResizeObserver(() => this.draw()).observe(this.#parts.plot);
    cards.add(this);
  }

  add(data) {
    const seconds = data.at / 1000;
    const last = this.#times.at(-1) ?? -Infinity;
    if (seconds <= last) return;
    this.#showUnavailable('');
    if (seconds - last > MAX_STEP_S && last > 0) this.#append(seconds - MAX_STEP_S / 2, []);
    this.#append(seconds, this.#room.lines(data));
    this.#forget(seconds - WINDOW_S - MAX_STEP_S);
    this.#newest = data;
    clock.newest = Math.max(clock.newest, seconds);
    if (!this.isPaused) this.draw();
  }

  unavailable(reason) {
    this.#showUnavailable(reason);
  }

  draw() {
    const { plot } = this.#parts;
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    if (width === 0 || this.#newest === undefined) return;
    if (this.#plot?.series.length !== this.#lines.size + 1) this.#build(width, height);
    if (this.#plot.width !== width || this.#plot.height !== height) {
      this.#plot.setSize({ width, height });
    }
    this.#plot.setData([this.#times, ...[...this.#lines.values()].map((line) => line.values)]);
    this.#describe();
  }

  #append(seconds, lines) {
    for (const { label, ...line } of lines) {
      const known = this.#lines.get(label);
      this.#lines.set(label, { ...line, values: known?.values ?? this.#times.map(() => null) });
    }
    this.#times.push(seconds);
    const values = new Map(lines.map(({ label, value }) => [label, value]));
    for (const [label, line] of this.#lines) line.values.push(values.get(label) ?? null);
  }

  #forget(before) {
    const first = this.#times.findIndex((seconds) => seconds >= before);
    this.#times.splice(0, first);
    for (const { values } of this.#lines.values()) values.splice(0, first);
  }

  #showUnavailable(reason) {
    const { unavailable, plot, legend } = this.#parts;
    unavailable.textContent = reason;
    unavailable.hidden = reason === '';
    plot.hidden = legend.hidden = reason !== '';
  }

  #build(width, height) {
    this.#plot?.destroy();
    const { unit } = this.#room;
    const lines = [...this.#lines.values()];
    const top = (highest) => scaleOf(unit, highest ?? 0).top;
    const axis = {
      font: FONT,
      stroke: () => color('muted'),
      ticks: { show: false },
      grid: { stroke: () => color('grid'), width: 1 },
    };
    this.#plot = new uPlot(
      {
        width,
        height,
        padding: [8, 14, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: 'dashboard' }, drag: { x: false, y: false }, y: false },
        scales: {
          x: { time: false, range: () => [clock.newest - WINDOW_S, clock.newest] },
          y: { range: (_plot, _lowest, highest) => [0, top(highest)] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            gap: 6,
            splits: ({ scales: { x } }) => [60, 45, 30, 15, 0].map((ago) => x.max - ago),
            values: ({ scales: { x } }, splits) =>
              splits.map((at) => (at === x.max ? 'now' : `−${Math.round(x.max - at)} s`)),
          },
          {
            ...axis,
            size: 68,
            gap: 8,
            splits: ({ scales: { y } }) => {
              const { step } = scaleOf(unit, y.max);
              return Array.from({ length: Math.round(y.max / step) + 1 }, (_, no) => no * step);
            },
            values: (_plot, splits) => splits.map(unit.axis),
          },
        ],
        series: [{}, ...lines.map((line, index) => this.#seriesOf(line, index))],
        hooks: { setCursor: [() => this.#describe()] },
      },
      [this.#times, ...lines.map(({ values }) => values)],
      this.#parts.plot,
    );
  }

  #seriesOf({ quiet, area }, index) {
    const name = quiet ? 'quiet' : `series-${this.#colorNo(index)}`;
    return {
      stroke: () => color(name),
      width: quiet ? 1 : 1.75,
      fill: area && (() => `${color(name)}24`),
      points: { show: false },
      spanGaps: false,
    };
  }

  /** Quiet lines share one colour, and leave the others to the rest. */
  #colorNo(index) {
    const before = [...this.#lines.values()].slice(0, index);
    return (before.filter(({ quiet }) => !quiet).length % 8) + 1;
  }

  /** The legend says what the newest sample holds, or the one under the pointer. */
  #describe() {
    const { headline, note, legend } = this.#parts;
    const hovered = this.#plot.cursor.idx;
    const index = hovered ?? this.#times.length - 1;
    headline.textContent = this.#room.headline(this.#newest);
    note.textContent =
      hovered === null || hovered === undefined
        ? this.#room.note(this.#newest)
        : `at ${timeOf(this.#times[hovered] * 1000)}`;
    const entries = [...this.#lines]
      .map(([label, line], no) => ({ label, ...line, no: this.#colorNo(no) }))
      .filter(({ quiet }, no, all) => !quiet || quiet !== all[no - 1]?.quiet);
    while (legend.children.length < entries.length) legend.append(legendEntry());
    entries.forEach(({ label, quiet, values, unit = this.#room.unit, no }, position) => {
      const [swatch, name, figure] = legend.children[position].children;
      swatch.className = `swatch ${quiet ? 'quiet' : `series-${no}`}`;
      name.textContent = quiet ?? label;
      figure.textContent = quiet ? '' : textOf(values[index], unit);
    });
  }
}

function textOf(value, unit) {
  return typeof value === 'number' ? unit.format(value) : '–';
}

function legendEntry() {
  const entry = document.createElement('li');
  for (const name of ['swatch', 'label', 'value']) {
    const part = document.createElement('span');
    part.className = name;
    entry.append(part);
  }
  return entry;
}

export function timeOf(at) {
  return new Date(at).toLocaleTimeString([], { hourCycle: 'h23' });
}
