// The guide's tables beside others: no cell is without its source, and what is said of a package
// that is installed here is said of the installed version.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const guide = 'docs/guide';
const text = readFileSync(join(root, guide, 'comparison.md'), 'utf8');

/** Where `[text][name]` leads. */
const targets = new Map(
  [...text.matchAll(/^\[([^\]]+)\]: (\S+)$/gm)].map(([, name = '', target = '']) => [name, target]),
);
const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
const tables = [...text.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => {
  const [header = '', , ...lines] = table.trimEnd().split('\n');
  return { columns: cellsOf(header), rows: lines.map(cellsOf) };
});
const allRows = tables.flatMap(({ columns, rows }) =>
  rows.map((cells) => [cells[0] ?? '', { columns, cells }] as const),
);
const links = [...text.matchAll(/\[[^\]]+\](?:\[([^\]]+)\]|\(([^)]+)\))/g)].map(
  ([, name, target]) => target ?? targets.get(name ?? '') ?? `nowhere: ${name}`,
);
const ours = [...new Set(links)].filter((link) => !link.startsWith('https://'));

/** As GitHub makes them: lower case, words joined by hyphens, punctuation left out. */
const anchorsOf = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('the comparison', () => {
  it('has the libraries in every table, and says when they were looked at', () => {
    expect(tables.map(({ columns }) => columns.length)).toEqual([9, 9, 9, 9, 9, 7]);
    expect(allRows.length).toBeGreaterThan(25);
    expect(text).toMatch(/Looked up on 20\d\d-\d\d-\d\d/);
  });

  it.each(allRows)('"%s" has a cell with a source in each column', (_title, { columns, cells }) => {
    expect(cells).toHaveLength(columns.length);
    for (const cell of cells.slice(1)) {
      const [, name] = /^\[[^\]]+\]\[([^\]]+)\]$/.exec(cell) ?? [];
      expect({ cell, source: targets.get(name ?? '') }).toEqual({
        cell,
        source: expect.any(String),
      });
    }
  });

  it('cites nobody else than the one that the column is about', () => {
    for (const { columns, rows } of tables) {
      const prefixes = rows[0]?.map((cell) => /\]\[(\w+)/.exec(cell)?.[1]);
      expect(prefixes?.[1]).toBe('o');
      for (const cells of rows) {
        const isOther = (cell: string, index: number): boolean =>
          index > 0 && !cell.includes(`][${prefixes?.[index]}`);
        expect({ columns, others: cells.filter(isOther) }).toEqual({ columns, others: [] });
      }
    }
  });

  it.each(ours)('its page or test %s is there', (link) => {
    const [path = '', anchor] = link.split('#');
    const file = join(root, guide, path);
    expect(statSync(file).isFile()).toBe(true);
    expect([undefined, ...anchorsOf(file)]).toContain(anchor);
  });

  it('uses every source that it names', () => {
    expect([...targets.values()].filter((target) => !links.includes(target))).toEqual([]);
  });

  it('is about the versions that are installed', () => {
    const cited = [...targets.values()].flatMap((target) => {
      const [, name, version] = /^https:\/\/unpkg\.com\/(@?[^@]+)@([^/]+)\//.exec(target) ?? [];
      return name === undefined ? [] : [{ name, version }];
    });
    expect(cited.length).toBeGreaterThan(5);
    for (const { name, version } of cited) {
      const manifest = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8');
      expect({ name, version }).toEqual({ name, version: JSON.parse(manifest).version });
    }
  });
});
