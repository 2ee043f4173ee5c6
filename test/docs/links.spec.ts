import { describe, expect, it } from '@jest/globals';
import { existsSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { documents, root, textOf } from './documents.js';

/** As GitHub makes them of headings; the site does the same for those that are linked. */
function anchorsOf(document: string): string[] {
  const text = textOf(document).replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** What is wrong with a link, if anything. */
function problem(document: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : posix.join(posix.dirname(document), path);
  if (!existsSync(join(root, target))) return `there is no ${target}`;
  if (anchor === undefined || !target.endsWith('.md')) return undefined;
  if (statSync(join(root, target)).isDirectory()) return `${target} is a folder`;
  return anchorsOf(target).includes(anchor) ? undefined : `${target} has no #${anchor}`;
}

/** Read where they are, not on the site. */
const papers = ['CHANGELOG', 'CONTRIBUTING', 'benchmark/README', 'sample/README', 'test/README']
  .concat(['tools/client-package/README']); // prettier-ignore

describe('the links of the documents', () => {
  // feature: 99, 105
  it.each([...documents, ...papers.map((name) => `${name}.md`)])(
    '%s: each leads to a file, and to a heading of it',
    (document) => {
      // Not those of the front page of the site, nor of code.
      const text = textOf(document).replaceAll(/^```[\s\S]*?^```$|`[^`\n]*`/gm, '');
      const links = [...text.matchAll(/\]\((?!\w+:|\/)([^)\s]+)\)|^\[.+\]: (?!\w+:)(\S+)$/gm)].map(
        ([, inline, reference]) => inline ?? reference!,
      );
      const problems = links.map((link) => problem(document, link)).filter((found) => found);
      expect(problems).toEqual([]);
    },
  );

  it.each(documents.filter((document) => document.startsWith('docs/guide/')))(
    '%s is found from the README and from the site',
    (document) => {
      expect(textOf('README.md')).toContain(`](${document})`);
      expect(textOf('docs/.vitepress/config.ts')).toContain(`'${basename(document, '.md')}'`);
    },
  );
});
