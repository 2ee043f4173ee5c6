// The recipes that the guide shows are the files that the tests run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const docs = join(import.meta.dirname, '../../docs');
const read = (name: string): string => readFileSync(join(docs, name), 'utf8');
const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(docs, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

/** The page of a folder of recipes; front ends share one. */
const PAGES: Record<string, string> = { bullmq: 'bullmq', publishing: 'publishing' };

describe('the guide', () => {
  const recipes = filesIn('recipes', '.ts').filter((name) => !name.includes('node_modules'));

  it.each(recipes)('shows %s as it is, and links it', (name) => {
    const page = PAGES[name.split('/')[1]!] ?? 'front-ends';
    const [, shown] =
      read(`guide/${page}.md`)
        .split(`](../${name})`)[1]
        ?.match(/^\n\n```[jt]s\n([\s\S]*?)^```$/m) ?? [];
    expect(shown).toBe(read(name));
  });

  it('has recipes at all', () => expect(recipes.length).toBeGreaterThan(9));
});
