// The guide shows recipes of docs/recipes as they are: those are the files that the tests run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const docs = join(import.meta.dirname, '../../docs');
const read = (name: string): string => readFileSync(join(docs, name), 'utf8');

/** Each page with its folder, and the files that it shows. */
const PAGES: [page: string, folder: string, shown: string[]][] = [
  ['react.md', 'react', ['use-orders.ts']],
  ['vue.md', 'vue', ['use-event-stream.ts']],
  ['angular.md', 'angular', ['event-stream.ts', 'orders.service.ts']],
  ['nextjs.md', 'next', ['app/orders.jsx', 'next.config.mjs', 'app/relay/route.js']],
  ['bullmq.md', 'bullmq', ['imports.controller.ts', 'worker.ts']],
  ['contracts.md', 'class-validator', ['dto.ts']],
  [
    'publishing.md',
    'publishing',
    ['announce-offers.ts', 'publish.py', 'publish.php', 'publish.controller.ts'],
  ],
];

const filesIn = (folder: string): string[] =>
  readdirSync(join(docs, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => /\.\w+$/.test(name) && !name.includes('node_modules'));

/** The code blocks that follow a link to a file of the folder, by its name. */
function shownIn(page: string, folder: string): Record<string, string> {
  const blocks = read(`guide/${page}`).matchAll(
    /\]\(\.\.\/recipes\/(\S+?)\)\n\n```\w+\n([\s\S]*?)^```$/gm,
  );
  return Object.fromEntries(
    [...blocks].map(([, name = '', code = '']) => [name.replace(`${folder}/`, ''), code]),
  );
}

describe.each(PAGES)('the guide, %s', (page, folder, files) => {
  it('shows these files as they are', () => {
    const asTheyAre = files.map((name) => [name, read(`recipes/${folder}/${name}`)]);
    expect(shownIn(page, folder)).toEqual(Object.fromEntries(asTheyAre));
  });
});

it('the guide shows each file in TypeScript', () => {
  const shown = PAGES.flatMap(([, folder, files]) => files.map((name) => `${folder}/${name}`));
  const inTypeScript = filesIn('recipes').filter((name) => name.endsWith('.ts'));
  expect(inTypeScript.length).toBeGreaterThan(8);
  expect(inTypeScript.filter((name) => !shown.includes(name))).toEqual([]);
});

const hasReadme = ([, folder]: (typeof PAGES)[number]): boolean =>
  filesIn(`recipes/${folder}`).includes('README.md');

describe.each(PAGES.filter(hasReadme))('the recipe of %s', (page, folder) => {
  it('is linked as a folder, and its README names each file and links the page', () => {
    expect(read(`guide/${page}`)).toContain(`](../recipes/${folder})`);
    const readme = read(`recipes/${folder}/README.md`);
    expect(readme).toContain(`](../../guide/${page})`);
    const names = filesIn(`recipes/${folder}`).filter((name) => name !== 'README.md');
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});
