// test/features.md names what shows each feature: the tests by their tags, and the pages and
// samples that have to be there.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { generated, PAGE, taggedTests } from '../../tools/features.mjs';

const FEATURES = 119;
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

const list = readFileSync(PAGE, 'utf8');
const [features = [], faults = []] = list.split('\n## Faults').map(entries);
const tests = taggedTests();

const numbers = (count: number): number[] => Array.from({ length: count }, (_none, n) => n + 1);

/** As GitHub makes them. */
const anchors = (page: string): string[] =>
  [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Of a page or a sample; undefined where it is there. */
function problem(shownBy: string): string | undefined {
  // It may say how it is run.
  const [, page = '', anchor] =
    /^\[.+\]\(([^#)]+)(?:#(.+))?\)(?:: `npm run .+`)?$/.exec(shownBy) ?? [];
  if (page === '') return `neither a test nor a link: ${shownBy}`;
  const path = join(dirname(PAGE), page);
  if (!existsSync(path)) return `no such page or folder: ${page}`;
  if (anchor === undefined || anchors(path).includes(anchor)) return undefined;
  return `no such heading in ${page}: ${anchor}`;
}

describe('test/features.md', () => {
  it('has every feature and every fault, in order', () => {
    expect(features.map(({ number }) => number)).toEqual(numbers(FEATURES));
    expect(faults.map(({ number }) => number)).toEqual(numbers(FAULTS));
    // It would end the list above it.
    expect(list).not.toMatch(/^- /m);
  });

  it('is what the tags say: `npm run docs:features` brings it up to date', () => {
    expect(list).toBe(generated(list, tests));
    const last = { feature: FEATURES, fault: FAULTS };
    const unknown = tests.filter(({ kind, number }) => !(number >= 1 && number <= last[kind]));
    expect(unknown).toEqual([]);
  });

  it('names what shows each of them', () => {
    const bare = (all: Entry[]): number[] =>
      all.filter(({ shownBy }) => shownBy.length === 0).map(({ number }) => number);
    expect([bare(features), bare(faults)]).toEqual([[], []]);
  });

  it('names only pages and samples that are there', () => {
    const problems = [...features, ...faults].flatMap(({ number, text, shownBy }) =>
      shownBy
        .filter((one) => !/^`+ ?test\//.test(one))
        .flatMap((one) => {
          const what = problem(one);
          return what === undefined ? [] : [`${number}. ${text}\n  ${what}`];
        }),
    );
    expect(problems).toEqual([]);
  });
});
