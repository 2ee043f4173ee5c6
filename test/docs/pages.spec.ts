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

// feature: 11
it.each(pages)('$path says that it is UTF-8 before any text', ({ html }) => {
  expect(html.slice(0, html.indexOf('<title>'))).toMatch(/<meta charset="utf-8"/i);
});

const documents = ['README.md', 'docs']
  .flatMap((name) =>
    name.endsWith('.md')
      ? [name]
      : readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
          .filter((path) => path.endsWith('.md'))
          .map((path) => join(name, path)),
  )
  .filter((path) => !path.includes('node_modules'));

/** From there to the semicolon that ends it. */
function statement(code: string, from: number): string {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    if ('({'.includes(code[at]!)) depth++;
    if (')}'.includes(code[at]!)) depth--;
    if (code[at] === ';' && depth === 0) return code.slice(from, at);
  }
  return code.slice(from);
}

// It would take away what an EventSource is for: coming back.
// feature: 91
it('no snippet closes an EventSource whenever it hears of an error', () => {
  const handlers = documents.flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return [...text.matchAll(/onerror = |addEventListener\(\s*['"]error['"]/g)].map(
      ({ index }) => `${path}: ${statement(text, index)}`,
    );
  });
  expect(handlers.length).toBeGreaterThan(1);
  const isClosing = (handler: string): boolean =>
    handler.includes('.close()') && !handler.includes('readyState');
  expect(handlers.filter(isClosing)).toEqual([]);
});
