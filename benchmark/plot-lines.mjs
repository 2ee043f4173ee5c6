// Line charts for the docs, as SVG: a figure per second, panels one below the other, each with a
// scale of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const images = join(import.meta.dirname, '..', 'docs', 'images');
const WIDTH = 640;
const LEFT = 76;
const RIGHT = 12;
const HEIGHT = 130;
const LEGEND = 20;
/** As many lines as there are of these; told apart by their dashes as well. */
const DASHES = ['none', '2 3', '7 3', 'none'];

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const thousands = (figure) => String(figure).replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** 1, 2, 2.5 or 5 times a power of ten, so that about four of it make `most`. */
function gap(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => most / size <= 4.5);
}

/** `lines` is a list of figures, one per second, by name; the same names in each panel. */
export function plotLines(name, title, panels) {
  let y = 26;
  let body = '';
  const names = Object.keys(panels[0].lines);
  for (const [index, label] of names.entries()) {
    const x = (index % 2) * 240;
    y += index % 2 === 0 ? LEGEND : 0;
    body += `<path class="line l${index}" d="M${x} ${y - 4}h32"/><text x="${x + 40}" y="${y}">${escape(label)}</text>\n`;
  }
  for (const { title: subtitle, seconds, lines } of panels) {
    y += 34;
    body += `<text x="0" y="${y}" class="quiet">${escape(subtitle)}</text>\n`;
    y += 14;
    const shown = names.map((label) =>
      Array.from({ length: seconds }, (_, n) => lines[label][n] ?? 0),
    );
    const most = Math.max(...shown.flat());
    const size = gap(most);
    const top = Math.ceil(most / size) * size;
    const xOf = (second) => LEFT + ((WIDTH - LEFT - RIGHT) * second) / seconds;
    const yOf = (figure) => Math.round(10 * (y + HEIGHT - (HEIGHT * figure) / top)) / 10;
    for (let figure = 0; figure <= top; figure += size) {
      body += `<path class="grid" d="M${LEFT} ${yOf(figure)}H${WIDTH - RIGHT}"/>`;
      body += `<text x="${LEFT - 8}" y="${yOf(figure) + 4}" text-anchor="end">${thousands(figure)}</text>\n`;
    }
    for (let second = 0; second <= seconds; second += 10) {
      const anchor = second === seconds ? 'end' : 'middle';
      const unit = second === seconds ? ' s' : '';
      body += `<text x="${xOf(second)}" y="${y + HEIGHT + 18}" text-anchor="${anchor}" class="quiet">${second}${unit}</text>\n`;
    }
    for (const [index, figures] of shown.entries()) {
      const steps = figures.map((figure, n) => `V${yOf(figure)}H${xOf(n + 1).toFixed(1)}`);
      body += `<path class="line l${index}" d="M${LEFT} ${yOf(0)}${steps.join('')}"/>\n`;
    }
    y += HEIGHT + 18;
  }
  const height = y + 10;
  const dashes = DASHES.map((dash, index) => `.l${index} { stroke-dasharray: ${dash} }`).join('\n');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #6e7781 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.l0 { stroke: #8c959f }
.l1 { stroke: #0969da }
.l2 { stroke: #bf5700 }
.l3 { stroke: #e0234e; stroke-width: 2 }
${dashes}
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .l0 { stroke: #9198a1 } .l1 { stroke: #58a6ff } .l2 { stroke: #f0983e } }
</style>
<text x="0" y="18" class="title">${escape(title)}</text>
${body}</svg>
`;
  mkdirSync(images, { recursive: true });
  writeFileSync(join(images, `${name}.svg`), svg);
}
