// The workflow of CI runs each folder of test/ in one of its jobs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

it('runs each folder of tests once', () => {
  const folders = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'support')
    .map(({ name }) => `test/${name}`);
  const workflow = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8');
  const run = workflow.match(/(?<=paths: .*)test\/\w+/g) ?? [];
  expect(run.sort()).toEqual(folders.sort());
});
