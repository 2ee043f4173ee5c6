// A room on the page: heading, legend and plot.
import { find, make, timeOf } from './shared/elements.js';
import { timeline } from './timeline.js';
import { scaleOf } from './units.js';

/** A hole in the line, where samples are missing for longer than this. */
const MAX_STEP_S = 2.5;
/** A page that is hidden draws nothing, and forgets only beyond this. */
const MAX_SAMPLES = 600;
const FONT = '11px system-ui, sans-serif';

const dark = matchMedia('(prefers-color-scheme: dark)');
const cards = new Set();
let frame;
let isPaused = false;

dark.addEventListener('change', drawAll);

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function pausePlots(shouldPause) {
  isPaused = shouldPause;
  drawSoon();
}

/** Once for all that arrives at the same time. */
export function drawSoon() {
  frame ??= requestAnimationFrame(drawAll);
}

function drawAll() {
  frame = undefined;
  if (isPaused) return;
  for (const card of cards) card.draw();
}

export class Card {
  element = find('card').content.firstElementChild.cloneNode(true);
  #room;
  #parts;
  #plot;
  /** Seconds, and for each line its values. In a hole there is no sample. */
  #times = [];
  #samples = [];
  #lines = new Map();

  constructor(room) {
    this.#room = room;
    const part = (selector) => this.element.querySelector(selector);
    this.#parts = {
      headline: part('.headline'),
      note: part('.note'),
      legend: part('.legend'),
      plot: part('.plot'),
      unavailable: part('.unavailable'),
    };
    this.element.dataset.room = room.name;
    this.element.dataset.color = room.color;
    part('h2').textContent = room.title;
    this.#parts.plot.ariaLabel = `${room.title}: the last minute as a plot`;
    new ResizeObserver(() => this.draw()).observe(this.#parts.plot);
    cards.add(this);
  }

  /** A sample that is here already changes nothing. */
  add(data) {
    const seconds = data.at / 1000;
    const last = this.#times.at(-1) ?? -Infinity;
    if (seconds <= last) return;
    this.#showUnavailable(data.unavailable ?? '');
    if (data.unavailable !== undefined) return timeline.include(seconds);
    if (seconds - last > MAX_STEP_S && last > 0) this.#append(seconds - MAX_STEP_S / 2, undefined);
    this.#append(seconds, data);
    timeline.include(seconds);
    if (this.#times.length > MAX_SAMPLES) this.#forget(timeline.start - MAX_STEP_S);
    drawSoon();
  }

  draw() {
    const { plot } = this.#parts;
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    this.#forget(timeline.start - MAX_STEP_S);
    if (width === 0 || this.#times.length === 0) return;
    if (this.#plot?.series.length !== this.#lines.size + 1) this.#build(width, height);
    if (this.#plot.width !== width || this.#plot.height !== height) {
      this.#plot.setSize({ width, height });
    }
    this.#plot.setData([this.#times, ...[...this.#lines.values()].map((line) => line.values)]);
    this.#describe();
  }

  #append(seconds, sample) {
    const lines = sample === undefined ? [] : this.#room.lines(sample);
    for (const { label, ...line } of lines) {
      const known = this.#lines.get(label);
      this.#lines.set(label, { ...line, values: known?.values ?? this.#times.map(() => null) });
    }
    this.#times.push(seconds);
    this.#samples.push(sample);
    const values = new Map(lines.map(({ label, value }) => [label, value]));
    for (const [label, line] of this.#lines) line.values.push(values.get(label) ?? null);
  }

  #forget(before) {
    const kept = this.#times.findIndex((seconds) => seconds >= before);
    const count = kept === -1 ? this.#times.length : kept;
    for (const list of [this.#times, this.#samples]) list.splice(0, count);
    for (const { values } of this.#lines.values()) values.splice(0, count);
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
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: 'dashboard' }, drag: { x: false, y: false }, y: false },
        scales: {
          x: { time: false, range: () => [timeline.start, timeline.newest] },
          y: { range: (_plot, _lowest, highest) => [0, top(highest)] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            gap: 6,
            splits: () => timeline.splits,
            values: (_plot, splits) => splits.map(agoOf),
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
        hooks: { drawClear: [shadeAway], setCursor: [() => this.#describe()] },
      },
      [this.#times, ...lines.map(({ values }) => values)],
      this.#parts.plot,
    );
  }

  #seriesOf({ quiet, area }, index) {
    const name = `color-${this.#colorOf(index)}`;
    return {
      stroke: () => color(name),
      width: quiet ? 1 : 1.75,
      fill: area && ((plot) => fade(plot, color(name))),
      points: { show: false },
      spanGaps: false,
    };
  }

  /** Quiet lines share one colour, and leave the others to the rest. */
  #colorOf(index) {
    const lines = [...this.#lines.values()];
    if (lines[index].quiet) return 'quiet';
    return this.#room.colors[lines.slice(0, index).filter(({ quiet }) => !quiet).length];
  }

  /** Heading and legend describe the sample under the pointer, or the newest. */
  #describe() {
    const { headline, note, legend } = this.#parts;
    const hovered = this.#plot.cursor.idx ?? undefined;
    const index = hovered ?? this.#samples.findLastIndex((one) => one !== undefined);
    const sample = this.#samples[index];
    if (sample !== undefined) {
      headline.textContent = this.#room.headline(sample);
      note.textContent = hovered ? `at ${timeOf(sample.at)}` : this.#room.note(sample);
    }
    const entries = [...this.#lines]
      .map(([label, line], no) => ({ label, ...line, color: this.#colorOf(no) }))
      .filter(({ quiet }, no, all) => !quiet || quiet !== all[no - 1]?.quiet);
    while (legend.children.length < entries.length) legend.append(legendEntry());
    entries.forEach(({ label, quiet, values, color: name }, position) => {
      const entry = legend.children[position];
      const [text, figure] = entry.children;
      entry.dataset.color = name;
      text.textContent = quiet ?? label;
      figure.textContent = quiet ? '' : textOf(values[index], this.#room.unit);
    });
  }
}

function agoOf(at) {
  const seconds = Math.round(timeline.newest - at);
  return seconds === 0 ? 'now' : `−${seconds} s`;
}

/** The time without a connection, which the replayed samples fill. */
function shadeAway(plot) {
  const { ctx, bbox } = plot;
  ctx.fillStyle = color('away');
  for (const { from, until } of timeline.away) {
    const [left, right] = [from, until ?? timeline.newest].map((at) =>
      plot.valToPos(Math.max(at, timeline.start), 'x', true),
    );
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
}

function fade({ ctx, bbox }, tone) {
  const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
  gradient.addColorStop(0, `${tone}66`);
  gradient.addColorStop(1, `${tone}0c`);
  return gradient;
}

function textOf(value, unit) {
  return typeof value === 'number' ? unit.format(value) : '–';
}

function legendEntry() {
  const entry = make('li');
  entry.append(make('span', 'label'), make('span', 'value'));
  return entry;
}
