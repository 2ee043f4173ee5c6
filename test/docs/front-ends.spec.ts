// The recipes that docs/guide/front-ends.md shows are the files that the tests run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const docs = join(import.meta.dirname, '../../docs');
const read = (name: string): string => readFileSync(join(docs, name), 'utf8');
const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(docs, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

describe('the guide for front ends', () => {
  const recipes = filesIn('recipes', '.ts');

  it.each(recipes)('shows %s as it is, and links it', (name) => {
    const [, shown] =
      read('guide/front-ends.md')
        .split(`](../${name})`)[1]
        ?.match(/^\n\n```[jt]s\n([\s\S]*?)^```$/m) ?? [];
    expect(shown).toBe(read(name));
  });

  it('has recipes at all', () => expect(recipes.length).toBeGreaterThan(5));
});
