// The tables of the guide that compare this library with others: each cell cites a source, and what
// is said of a package that is installed here is said of the installed version.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const guide = 'docs/guide';
const text = readFileSync(join(root, guide, 'comparison.md'), 'utf8');

/** Where `[O1]` leads: the letter stands for a project, the number for one of its sources. */
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

/** The names of the sources of a cell, which is a text and `<sup>[O1] [O2]</sup>`. */
function sourcesOf(cell: string): string[] {
  const [, names = ''] = /^[^[\]<>]+<sup>((?:\[\w+\] ?)+)<\/sup>$/.exec(cell) ?? [];
  return [...names.matchAll(/\w+/g)].map(([name]) => name);
}
/** The projects that cells cite, each once. */
const projectsOf = (cells: string[]): string[] => [
  ...new Set(cells.flatMap(sourcesOf).map((name) => name.replace(/\d+$/, ''))),
];

const cited = new Set(allRows.flatMap(([, { cells }]) => cells.slice(1).flatMap(sourcesOf)));
const inline = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
const ours = [...new Set([...targets.values(), ...inline])].filter(
  (link) => !link.startsWith('https://'),
);

/** As GitHub makes them: lower case, words joined by hyphens, punctuation left out. */
const anchorsOf = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('the comparison', () => {
  it('has tables that fit on a page, and says when the sources were read', () => {
    expect(tables.map(({ columns }) => columns.length)).toEqual([5, 5, 5, 5]);
    expect(tables[0]?.columns).toEqual([
      '',
      'nestjs-eventstream',
      'Nest `@Sse()`',
      'Socket.IO',
      'Centrifugo',
    ]);
    expect(allRows.length).toBeGreaterThan(40);
    expect(text).toMatch(/Looked up on 20\d\d-\d\d-\d\d/);
  });

  it.each(allRows)('"%s" has a cell with a source in each column', (_title, { columns, cells }) => {
    expect(cells).toHaveLength(columns.length);
    for (const cell of cells.slice(1)) {
      const sources = sourcesOf(cell).map((name) => targets.get(name));
      expect({ cell, sources }).toEqual({
        cell,
        sources: [expect.any(String), ...sources.slice(1)],
      });
      expect(sources).not.toContain(undefined);
    }
  });

  it('cites only the project that a cell is about, and no two projects under one letter', () => {
    const about = tables.flatMap(({ columns, rows }) =>
      // One table has a project in each row, the others in each column.
      columns[0] === 'Framework'
        ? rows.map((cells) => ({ name: cells[0], projects: projectsOf(cells.slice(1)) }))
        : columns.slice(1).map((name, index) => ({
            name,
            projects: projectsOf(rows.map((cells) => cells[index + 1] ?? '')),
          })),
    );
    for (const { name, projects } of about) {
      expect({ name, projects }).toEqual({ name, projects: [expect.any(String)] });
    }
    const letters = about.flatMap(({ projects }) => projects);
    expect(new Set(letters).size).toBe(about.length);
    expect(letters[0]).toBe('O');
  });

  it.each(ours)('its page or test %s is there', (link) => {
    const [path = '', anchor] = link.split('#');
    const file = join(root, guide, path);
    expect(statSync(file).isFile()).toBe(true);
    expect([undefined, ...anchorsOf(file)]).toContain(anchor);
  });

  it('cites pages of its own for this library, and public ones for others', () => {
    for (const [name, target] of targets) {
      expect({ name, isOurs: !target.startsWith('https://') }).toEqual({
        name,
        isOurs: name.startsWith('O'),
      });
    }
  });

  it('uses every source that it names', () => {
    expect([...targets.keys()].filter((name) => !cited.has(name))).toEqual([]);
  });

  it('is about the versions that are installed', () => {
    const packages = [...targets.values()].flatMap((target) => {
      const [, name, version] = /^https:\/\/unpkg\.com\/(@?[^@]+)@([^/]+)\//.exec(target) ?? [];
      return name === undefined ? [] : [{ name, version }];
    });
    expect(packages.length).toBeGreaterThan(5);
    for (const { name, version } of packages) {
      const manifest = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8');
      expect({ name, version }).toEqual({ name, version: JSON.parse(manifest).version });
    }
  });
});
