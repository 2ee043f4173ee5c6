import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

describe('the guide to other languages', () => {
  // feature: 95
  it.each([
    ['python', 'client.py'],
    ['go', 'client.go'],
  ])('shows the program of %s that the tests run', (language, file) => {
    const page = read('docs/guide/python-go-curl.md');
    const [, shown] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(page) ?? [];
    expect(shown).toBe(read(`test/interop/${file}`));
  });
});
