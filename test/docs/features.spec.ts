// docs/features.md names what shows each feature: the tests, pages and samples that it names have to be there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');
const docs = join(root, 'docs');

const FEATURES = 118;
const FAULTS = 30;

interface Entry {
  readonly number: number;
  readonly text: string;
  readonly shownBy: string[];
}

/** The items of the numbered lists, in their order; what shows them are the points below each. */
function entries(markdown: string): Entry[] {
  const found: Entry[] = [];
  for (const line of markdown.split('\n')) {
    const [, number, text = ''] = /^(\d+)\. (.+)/.exec(line) ?? [];
    const [, proof] = /^ +- (.+)/.exec(line) ?? [];
    if (number !== undefined) found.push({ number: Number(number), text, shownBy: [] });
    else if (proof !== undefined) found.at(-1)?.shownBy.push(proof);
  }
  return found;
}

const list = readFileSync(join(docs, 'features.md'), 'utf8');
const [features = [], faults = []] = list.split('\n## Faults').map(entries);

const numbers = (count: number): number[] => Array.from({ length: count }, (_none, n) => n + 1);

/** The titles of the suites and tests of a file, as they are written; what is skipped shows nothing. */
const titles = new Map<string, Set<string>>();
function titlesOf(path: string): Set<string> {
  const known = titles.get(path);
  if (known !== undefined) return known;
  const found = new Set<string>();
  const source = ts.createSourceFile(
    path,
    readFileSync(join(root, path), 'utf8'),
    ts.ScriptTarget.ESNext,
  );
  const look = (node: ts.Node): void => {
    if (
      ts.isCallExpression(node) &&
      /^\W*(describe|it|test)(?!\.(skip|todo|failing))/.test(node.expression.getText(source))
    ) {
      const [title] = node.arguments;
      if (title && ts.isStringLiteralLike(title)) found.add(title.text);
      else if (title && ts.isTemplateExpression(title)) {
        found.add(title.getText(source).slice(1, -1));
      }
    }
    ts.forEachChild(node, look);
  };
  look(source);
  titles.set(path, found);
  return found;
}

/** As GitHub makes them. */
const anchors = (page: string): string[] =>
  [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Undefined where it is there. */
function problem(shownBy: string): string | undefined {
  const [, , path = '', title = ''] = /^(`+) ?(test\/\S+) › (.+?) ?\1$/.exec(shownBy) ?? [];
  if (path !== '') {
    if (!existsSync(join(root, path))) return `no such file: ${path}`;
    return titlesOf(path).has(title) ? undefined : `no such test in ${path}: ${title}`;
  }
  // What is not a test may say how it is run.
  const [, page = '', anchor] =
    /^\[.+\]\(([^#)]+)(?:#(.+))?\)(?:: `npm run .+`)?$/.exec(shownBy) ?? [];
  if (page === '') return `neither a test nor a link: ${shownBy}`;
  if (!existsSync(join(docs, page))) return `no such page or folder: ${page}`;
  if (anchor === undefined || anchors(join(docs, page)).includes(anchor)) return undefined;
  return `no such heading in ${page}: ${anchor}`;
}

describe('docs/features.md', () => {
  it('has every feature and every fault, in order', () => {
    expect(features.map(({ number }) => number)).toEqual(numbers(FEATURES));
    expect(faults.map(({ number }) => number)).toEqual(numbers(FAULTS));
    // It would end the list above it.
    expect(list).not.toMatch(/^- /m);
  });

  it('names what shows each of them', () => {
    const bare = (all: Entry[]): number[] =>
      all.filter(({ shownBy }) => shownBy.length === 0).map(({ number }) => number);
    expect([bare(features), bare(faults)]).toEqual([[], []]);
  });

  it('names only what is there', () => {
    const problems = [...features, ...faults].flatMap(({ number, text, shownBy }) =>
      shownBy.flatMap((one) => {
        const what = problem(one);
        return what === undefined ? [] : [`${number}. ${text}\n  ${what}`];
      }),
    );
    expect(problems).toEqual([]);
  });
});
