// Bar charts for the docs, as SVG: readable on light and on dark, and small.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const images = join(import.meta.dirname, '..', 'docs', 'images');
const ROW = 22;
const WIDTH = 640;
const MIN_LABEL = 110;
/** About the width of a character of a label. */
const CHARACTER = 6.5;
const VALUE = 70;

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/** Groups of bars, one below the other, each group with a scale of its own; `ours` stands out. */
export function plotBars(name, title, groups) {
  const labels = groups.flatMap(({ rows }) => Object.keys(rows));
  const longest = Math.max(...labels.map((label) => label.length));
  const start = Math.max(MIN_LABEL, Math.ceil(longest * CHARACTER) + 8);
  let y = 26;
  let body = '';
  for (const { title: subtitle, rows } of groups) {
    const bars = Object.entries(rows).filter(([, { figure }]) => figure !== undefined);
    const most = Math.max(...bars.map(([, { figure }]) => figure));
    y += ROW;
    body += `<text x="0" y="${y}" class="quiet">${escape(subtitle)}</text>\n`;
    y += 8;
    for (const [label, { figure }] of bars.sort(([, a], [, b]) => a.figure - b.figure)) {
      const width = Math.max(1, Math.round(((WIDTH - start - VALUE) * figure) / most));
      const kind = label.startsWith('ours') ? 'ours' : 'other';
      body += `<text x="${start - 8}" y="${y + 14}" text-anchor="end">${escape(label)}</text>`;
      body += `<rect x="${start}" y="${y + 2}" width="${width}" height="${ROW - 6}" rx="2" class="${kind}"/>`;
      body += `<text x="${start + width + 6}" y="${y + 14}">${Number(figure.toPrecision(2))}</text>\n`;
      y += ROW;
    }
  }
  const height = y + 8;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #6e7781 }
.ours { fill: #e0234e }
.other { fill: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } .other { fill: #6e7681 } }
</style>
<text x="0" y="18" class="title">${escape(title)}</text>
${body}</svg>
`;
  mkdirSync(images, { recursive: true });
  writeFileSync(join(images, `${name}.svg`), svg);
}
