// The pages that tell when to use what, what the limits are and what is good to do: nothing in them
// is left open.
import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { documents, root, textOf } from './documents.js';

/** The rows of all tables of a text without their heads, as cells. */
function rowsOf(text: string): string[][] {
  const rows = [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) =>
    row.split('|').map((cell) => cell.trim()),
  );
  const isRule = (cells: string[] | undefined): boolean => /^-+$/.test(cells?.[0] ?? '');
  return rows.filter((row, index) => !isRule(row) && !isRule(rows[index + 1]));
}

describe('the page about when to use it', () => {
  const page = 'docs/guide/when-to-use.md';

  // feature: 99
  it.each([
    'notifications',
    'dashboards',
    'live data',
    'feeds',
    'scores and tickers',
    'progress',
    'logs',
    'monitoring',
  ])('links a sample for %s', (useCase) => {
    expect(textOf(page)).toMatch(new RegExp(`\\[${useCase}\\]\\(../../sample/\\d\\d-`));
  });

  // feature: 100
  // fault: 26
  it('has a reason or a figure in each cell, and figures that can be measured again', () => {
    const [choice = ''] = textOf(page).split('\n## ');
    expect(rowsOf(choice).length).toBeGreaterThan(10);
    for (const cells of rowsOf(choice)) expect(cells).not.toContain('');
    const benchmarks = documents.flatMap((document) =>
      [...textOf(document).matchAll(/npm run bench -- ([\w-]+)/g)].map(([, name]) => name),
    );
    expect(benchmarks.length).toBeGreaterThan(10);
    const isThere = (name = '') => existsSync(join(root, `benchmark/${name}.bench.mjs`));
    expect(benchmarks.filter((name) => !isThere(name))).toEqual([]);
  });
});

describe('the page about limits and browsers', () => {
  const rows = rowsOf(textOf('docs/guide/browser-limits.md'));

  // feature: 101
  it('has a remedy for each limit', () => {
    expect(rows.length).toBeGreaterThan(10);
    for (const cells of rows) expect(cells).not.toContain('');
  });

  // feature: 101
  it.each(['Chrome', 'Firefox', 'Safari', 'Edge', 'Opera'])('says since when %s has it', (name) => {
    const [, since] = rows.find(([browser]) => new RegExp(`^${name}\\b`).test(browser!)) ?? [];
    expect(since).toMatch(/^\d/);
  });
});

// feature: 102
it('the page of practices links an option or a page with each', () => {
  const rows = rowsOf(textOf('docs/guide/best-practices.md'));
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((cells) => !cells.some((cell) => cell.includes('](')))).toEqual([]);
});

it('the page about memory says of each thing what happens at its limit, and which test shows it', () => {
  const rows = rowsOf(textOf('docs/guide/memory.md'));
  expect(rows.length).toBeGreaterThan(20);
  for (const cells of rows) {
    expect(cells).toHaveLength(6);
    expect(cells).not.toContain('');
    expect(cells.at(-1)).toMatch(/\.spec\.ts|^the same$/);
  }
});

// feature: 105
it('the README links every page of the guide, and the features', () => {
  const pages = documents.filter((name) => /^docs\/(guide\/|architecture)/.test(name));
  const readme = textOf('README.md');
  expect(pages.filter((page) => !readme.includes(`](${page}`))).toEqual([]);
  expect(readme).toContain('](test/features.md)');
});
