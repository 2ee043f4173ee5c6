import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** All that is written by hand; what is generated shows code of the library's own. */
export const documents = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/^(api|\.vitepress)\b|\bnode_modules\b/.test(name))
    .map((name) => `docs/${name}`),
];

export const textOf = (document: string): string => readFileSync(join(root, document), 'utf8');

export interface Snippet {
  readonly title: string;
  readonly document: string;
  readonly file: string;
  readonly code: string;
}

/**
 * The snippets of all documents, as files that a test may import; each suite that asks has its own.
 */
export function writeSnippets(suite: string): { snippets: Snippet[]; remove: () => void } {
  // Inside the project, so that imports resolve as in a user's app; ignored by git.
  const folder = join(import.meta.dirname, '.snippets', suite);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const snippets = documents.flatMap((document) =>
    [...textOf(document).matchAll(/^```(tsx?|js)\n([\s\S]*?)^```$/gm)].map(
      ([, language, code = ''], index): Snippet => ({
        title: `${document} #${index + 1}`,
        document,
        file: join(folder, `${document.replace(/\W+/g, '-')}-${index + 1}.${language}`),
        code,
      }),
    ),
  );
  for (const { file, code } of snippets) writeFileSync(file, code);
  return { snippets, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
