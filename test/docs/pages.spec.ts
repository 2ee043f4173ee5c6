import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

const pages = ['lib', 'sample']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.html'))
      .map((name) => join(folder, name)),
  )
  .map((path) => ({ path, html: readFileSync(join(root, path), 'utf8') }))
  .filter(({ html }) => /^<!doctype html>/i.test(html));

it('there are pages', () => {
  expect(pages.length).toBeGreaterThan(2);
});

it.each(pages)('$path says that it is UTF-8 before any text', ({ html }) => {
  expect(html.slice(0, html.indexOf('<title>'))).toMatch(/<meta charset="utf-8"/i);
});
