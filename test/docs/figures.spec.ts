import { describe, expect, it } from '@jest/globals';
import { textOf } from './documents.js';

const README = textOf('README.md');
const PERFORMANCE = textOf('docs/guide/performance.md');

/** The cells of a row of a table, without what makes them bold. */
function row(document: string, name: string): string[] {
  const line = document.split('\n').find((text) => text.startsWith(`| ${name} `)) ?? '';
  return line
    .split('|')
    .slice(2, -1)
    .map((cell) => cell.replaceAll('*', '').trim());
}

/** What a pattern finds first in the page of performance. */
function measured(pattern: RegExp): string {
  return pattern.exec(PERFORMANCE)?.[1] ?? `nothing for ${pattern}`;
}

const [one, twenty] = row(README, '**this library**').map((cell) => /\((.*) µs\)/.exec(cell)?.[1]);
const [nodeOne] = row(README, 'plain `node:http`, a shared buffer').map(Number);
const [nchanOne, nchanTwenty] = row(README, 'Nchan (C, in nginx)').map(Number);
const [nestOne, nestTwenty] = row(README, 'Nest `@Sse()`');
const moreThanNode = Math.round((1 / nodeOne! - 1) * 100);
const besideNode = `${Math.abs(moreThanNode)} % ${moreThanNode < 0 ? 'less' : 'more'}`;

const [, p99] = row(PERFORMANCE, 'this library');
const idle = measured(/(\S+ KiB) resident/);
const allBack = measured(/all are back after (\S+ s)/);
const lastOf10000 = measured(/has\nit after (\S+ ms)/);
const oneReader = measured(/p99 of (\S+ ms)\.$/m);

/** A page that says a figure again has to say the same. */
const REPEATED: Record<string, string[]> = {
  'docs/index.md': [
    `${one} µs; ${twenty} µs at 20 per turn`,
    `${nestOne} times as much; ${nestTwenty} times`,
    `| ${idle} `,
    `| ${p99} `,
    `all back in ${allBack}`,
  ],
  'docs/guide/performance.md': [
    `it costs ${one} µs, ${besideNode} than plain`,
    `costs ${Math.round((1 - nchanOne!) * 100)} % less there and ${nchanTwenty} times as much`,
  ],
  'docs/guide/scaling.md': [
    `| ${one} µs, of 1 000 readers`,
    `20 000 × ${one} µs = ${Math.round(2 * Number(one))} %`,
    `| ${twenty} µs (`,
    `20 000 × ${twenty} µs = ${(2 * Number(twenty)).toFixed(1)} %`,
    `${idle} each`,
    `${lastOf10000} after the event`,
    `10 000 ÷ ${allBack}`,
  ],
  'docs/guide/faq.md': [idle],
  'docs/guide/when-to-use.md': [`${one} µs`, `${twenty} µs`, idle, `p99 ${oneReader}`],
};

describe('the figures that were measured', () => {
  it.each(Object.entries(REPEATED))('are the same in %s', (document, figures) => {
    const text = textOf(document);
    expect(figures.filter((figure) => !text.includes(figure))).toEqual([]);
  });

  it('are what the plot shows', () => {
    const texts = textOf('docs/images/bench-fan-out.svg').matchAll(/<text[^>]*>([^<]*)/g);
    const ours = [...texts]
      .map(([, text]) => text)
      .flatMap((text, at, all) => (text === 'ours' ? [Number(all[at + 1])] : []));
    expect(ours).toEqual([one, twenty].map((figure) => Number(Number(figure).toPrecision(2))));
  });
});

it('the README names as many planted bugs as there are mutants', async () => {
  const { MUTANTS } = (await import('../model/mutants.mjs')) as { MUTANTS: readonly unknown[] };
  expect(README).toContain(`finds ${MUTANTS.length} bugs`);
});
