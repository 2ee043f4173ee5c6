import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { marks, mutate, MUTANTS } from './mutants.mjs';

const sourceOf = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

/**
 * Whether the model finds them is shown by `npm run test:mutants`; here only that they have not
 * gone stale.
 */
describe('the mutants', () => {
  it('have one mark each in lib/, and each mark has a mutant', () => {
    const marked = marks().map(({ name }) => name);
    expect(marked.sort()).toEqual(MUTANTS.map(({ name }) => name).sort());
  });

  // feature: 47, 52
  it.each(MUTANTS)('"$name" changes the code, which still compiles', (mutant) => {
    const { file = '' } = marks().find(({ name }) => name === mutant.name) ?? {};
    const source = sourceOf(file);
    const mutated = mutate(source, mutant) ?? '';
    const withoutMark = source.replace(new RegExp(`^ *(//|--) mutant: ${mutant.name}\n`, 'm'), '');
    expect(mutated).not.toBe(withoutMark);
    const { diagnostics = [] } = ts.transpileModule(mutated, { reportDiagnostics: true });
    expect(diagnostics.map(({ messageText }) => messageText)).toEqual([]);
  });
});
