import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { openStream } from '../support/stream-client.js';

const root = join(import.meta.dirname, '../..');
/** Inside the project, so that imports resolve as in a user's app; ignored by git. */
const folder = join(import.meta.dirname, '.snippets');

interface Snippet {
  readonly title: string;
  readonly file: string;
  readonly code: string;
}

const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const snippets: Snippet[] = documents.flatMap((name) => {
  const text = readFileSync(join(root, name), 'utf8');
  return [...text.matchAll(/^```(tsx?)\n([\s\S]*?)^```$/gm)].map((match, index) => ({
    title: `${name} #${index + 1}`,
    file: join(folder, `${name.replace(/\W+/g, '-')}-${index + 1}.${match[1]}`),
    code: match[2] ?? '',
  }));
});

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const { file, code } of snippets) writeFileSync(file, code);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the snippets of README and docs', () => {
  it('compile', () => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
      readFileSync(path, 'utf8'),
    );
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram(
      snippets.map(({ file }) => file),
      { ...options, noEmit: true },
    );
    const problems = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
      const title =
        snippets.find((snippet) => snippet.file === file?.fileName)?.title ?? file?.fileName;
      const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1;
      return `${title}, line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    expect(problems).toEqual([]);
    expect(snippets.length).toBeGreaterThan(1);
  }, 30_000);

  it('the quick start runs, and prints what the README shows', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const shown = /<!-- quick-start output -->\n\n```text\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const [quickStart] = snippets;
    const { AppModule } = (await import(quickStart!.file)) as { AppModule: new () => object };
    const app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/prices/ACME`;
    const stream = openStream({ url });
    await stream.until((text) => text.endsWith('\n\n'));
    const headers = { 'content-type': 'application/json' };
    await fetch(url, { method: 'POST', headers, body: '{"value":42}' });
    await stream.next();
    // The reconnection time and the id are drawn: all else is as shown.
    const drawn = (text: string): string =>
      text
        .replace(/retry: \d{4}/, 'retry: n')
        .replace(/1\.[\w-]{8}\.[0-9a-z]{10,11}/g, 'cursor')
        .trim();
    expect(drawn(stream.text)).toBe(drawn(shown));
    await app.close();
  });
});
