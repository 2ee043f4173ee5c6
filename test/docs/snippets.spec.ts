import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { Broadcaster, SseHealth, SseStream } from 'nestjs-eventstream';
import { firstValueFrom, take, toArray } from 'rxjs';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { serve } from '../support/serve.js';
import { openStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

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

describe('the snippet for long polling', () => {
  it('gives the ids that a stream gives, and so does a stream for a gateway', async () => {
    const snippet = snippets.find(({ code }) => code.includes('LongPollController'));
    const { LongPollController } = (await import(snippet!.file)) as { LongPollController: Type };
    @Controller('orders')
    class Orders {
      constructor(private readonly broadcaster: Broadcaster) {}
      @SseStream() events() {
        return this.broadcaster.stream('orders');
      }
    }
    const { nest, url } = await serve([LongPollController, Orders], {
      sse: { history: { maxEvents: 4 } },
    });
    const hub = nest.get(Broadcaster);
    const poll = async (after?: string) => {
      const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
      return (await (await fetch(`${url}/orders/poll${query}`)).json()) as Poll;
    };
    const start = await poll();
    expect(start).toEqual({ events: [], covered: true, after: await hub.position() });

    // One that waits.
    const waiting = poll(start.after);
    await until('it waits', () => hub.size('orders') === 1);
    const ids = [await hub.to('orders').emit('created', { no: 1 })];
    const first = await waiting;
    expect(first).toMatchObject({ events: [{ type: 'created', data: { no: 1 } }], covered: true });
    expect(hub.size('orders')).toBe(0);
    for (const no of [2, 3]) ids.push(await hub.to('orders').emit('created', { no }));
    const rest = await poll(first.after);
    expect(rest.after).toBe(ids[2]);

    const stream = openStream({ url: `${url}/orders`, headers: { 'last-event-id': start.after } });
    const streamed = (await stream.take(3)).map(({ id }) => id);
    stream.abort();
    const gateway = hub.stream('orders', { lastEventId: start.after, connection: false });
    const sent = await firstValueFrom(gateway.pipe(take(3), toArray()));
    const polled = [...first.events, ...rest.events].map(({ id }) => id);
    expect(polled).toEqual(ids);
    expect(streamed).toEqual(ids);
    expect(sent.map(({ id }) => id)).toEqual(ids);

    for (const no of [4, 5, 6]) await hub.to('orders').emit('created', { no });
    expect(await poll(start.after)).toMatchObject({ covered: false });
  });
});

describe('the snippet of one type for server, page and document', () => {
  it('shows on its page what its server was sent, and has a document of it', async () => {
    const snippet = snippets.find(({ code }) => code.includes('ORDER_EVENTS'));
    const { OrdersController, showOrders } = (await import(snippet!.file)) as {
      OrdersController: Type;
      showOrders: (show: (order: object) => void, url: string) => () => void;
    };
    const { nest, url } = await serve(OrdersController);
    const shown: object[] = [];
    const leave = showOrders((order) => shown.push(order), `${url}/orders`);
    await until('the page reads', () => nest.get(Broadcaster).size('orders') === 1);
    const order = { no: 1, item: 'Mug' };
    const headers = { 'content-type': 'application/json' };
    await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify(order) });
    await until('the order is there', () => shown.length === 1);
    leave();
    expect(shown).toEqual([order]);

    const document = SwaggerModule.createDocument(nest, new DocumentBuilder().build());
    expect(Object.keys(document.components!.schemas!).sort()).toEqual(['Order', 'Shop']);
    expect(JSON.stringify(document.paths['/orders']!.get)).toContain('"enum":["created"]');
  });
});

interface Poll {
  readonly events: readonly { readonly id: string }[];
  readonly covered: boolean;
  readonly after: string;
}
