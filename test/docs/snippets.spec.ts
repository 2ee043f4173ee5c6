import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { Broadcaster, SseHealth, SseStream } from 'nestjs-eventstream';
import { describeRedis, startRedis } from '../support/redis-server.js';
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
  'SECURITY.md',
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

describe('the snippets of the documents', () => {
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

@Controller()
class Prices {
  constructor(private readonly broadcaster: Broadcaster) {}
  @SseStream('prices') prices() {
    return this.broadcaster.stream('prices');
  }
}

describeRedis('the snippet for many processes', () => {
  it('carries events from one app to another, and clients go on at either', async () => {
    const snippet = snippets.find(({ code }) => code.includes('redisEventLog'));
    const redis = await startRedis();
    process.env['REDIS_URL'] = redis.url;
    const { AppModule } = (await import(snippet!.file)) as { AppModule: Type };
    class WithPrices {}
    Module({ imports: [AppModule], controllers: [Prices] })(WithPrices);
    const start = async () => {
      const app = await NestFactory.create(WithPrices, { logger: false });
      await app.listen(0, '127.0.0.1');
      return { app, url: `${await app.getUrl()}/prices`, hub: app.get(Broadcaster) };
    };
    const [one, two] = [await start(), await start()];
    const stream = openStream({ url: one.url });
    await stream.until((text) => text.includes('id: '));
    await two.hub.to('prices').emit('price', 1);
    const { id } = await stream.next();
    stream.abort();
    await one.hub.to('prices').emit('price', 2);
    const back = openStream({ url: two.url, headers: { 'last-event-id': id ?? '' } });
    expect(await back.next()).toMatchObject({ event: 'price', data: '2' });
    expect(await two.app.get(SseHealth).check()).toEqual({ sse: { status: 'up' } });
    await Promise.all([one.app.close(), two.app.close()]);
    await redis.stop();
  }, 30_000);
});
