import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'SECURITY.md'), 'utf8');

/** A row of a table ends with the tests that show it: their titles, and the files. */
const tests = [...document.matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)].map(
  ([, title = '', path = '']) => [title.replaceAll('\\', ''), path] as const,
);

it('SECURITY.md names a test for each row of its tables', () => {
  const rows = document.split('\n').filter((line) => line.startsWith('| ') && !/^\| -+/.test(line));
  const claims = rows.filter((row) => !row.includes('| shown by'));
  expect(claims.length).toBeGreaterThan(10);
  expect(claims.filter((row) => !row.includes('](test/'))).toEqual([]);
});

it.each(tests)('its test "%s" is in %s', (title, path) => {
  expect(readFileSync(join(root, path), 'utf8')).toContain(title);
});
