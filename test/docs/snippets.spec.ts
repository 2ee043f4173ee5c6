import { afterAll, describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { Broadcaster, SseHealth, SseStream } from 'nestjs-eventstream';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { openStream } from '../support/stream-client.js';
import { root, writeSnippets } from './documents.js';

const { snippets, remove } = writeSnippets('compiled');
afterAll(remove);

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
