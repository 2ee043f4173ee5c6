// test/interop runs the programs that docs/guide/python-go-curl.md shows and links.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const docs = join(import.meta.dirname, '../../docs');
const read = (file: string): string => readFileSync(join(docs, file), 'utf8');
const page = read('guide/python-go-curl.md');

describe('the guide to Python, Go and curl', () => {
  // feature: 95
  it.each([
    ['python', 'main.py'],
    ['go', 'main.go'],
    ['curl', 'read.sh'],
  ])('shows the program in recipes/%s that the tests run: %s', (folder, file) => {
    const blocks = [...page.matchAll(/^```\w+\n([^]*?)^```$/gm)].map(([, code]) => code);
    expect(blocks).toContain(read(`recipes/${folder}/${file}`));
  });

  it.each(['python', 'go', 'curl'])('links the sources in recipes/%s', (folder) => {
    expect(existsSync(join(docs, 'recipes', folder, 'README.md'))).toBe(true);
    const sources = readdirSync(join(docs, 'recipes', folder)).filter((name) =>
      /\.(py|go|sh)$/.test(name),
    );
    expect(sources.filter((name) => !page.includes(`](../recipes/${folder}/${name})`))).toEqual([]);
  });
});
