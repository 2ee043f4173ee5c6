import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MUTANTS } from './mutants.mjs';

/** Whether the model finds them is shown by `npm run test:mutants`; here only that they have not gone stale. */
describe('the mutants', () => {
  it.each(MUTANTS)('"$name" fits the code', ({ file, find, replace }) => {
    const source = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
    expect(source.split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  });
});
