import { afterAll, describe, expect, it } from '@jest/globals';
import { Controller, Module, RequestMethod, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { Broadcaster, SseConnections, SseHealth, SseStream } from 'nestjs-eventstream';
import { SseRunsModule } from 'nestjs-eventstream/runs';
import { firstValueFrom, take, toArray } from 'rxjs';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { compileClient } from '../support/generated-client.js';
import { serve } from '../support/serve.js';
import { streamClient } from '../support/stream-client.js';
import { until } from '../support/until.js';
import { root, textOf, writeSnippets } from './documents.js';

const { snippets, remove } = writeSnippets('compiled');
afterAll(remove);

describe('the snippets of the documents', () => {
  // feature: 105
  // fault: 25
  it('compile', () => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
      readFileSync(path, 'utf8'),
    );
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram(
      [join(import.meta.dirname, 'vitest.d.ts'), ...snippets.map(({ file }) => file)],
      // Of JavaScript the syntax, as in it may stand what is not installed here.
      { ...options, noEmit: true, allowJs: true },
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
  // fault: 29
  it('carries events from one app to another, and clients go on at either', async () => {
    const page = 'docs/guide/many-processes.md';
    const snippet = snippets.find(({ document }) => document === page);
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
    const stream = streamClient({ url: one.url });
    await stream.until(({ text }) => text.includes('id: '));
    await two.hub.to('prices').emit('price', 1);
    const { id } = await stream.next();
    stream.close();
    await one.hub.to('prices').emit('price', 2);
    const back = streamClient({ url: two.url, headers: { 'last-event-id': id ?? '' } });
    expect(await back.next()).toMatchObject({ type: 'price', data: 2 });
    expect(await two.app.get(SseHealth).check()).toEqual({ sse: { status: 'up' } });
    await Promise.all([one.app.close(), two.app.close()]);
    await redis.stop();
  }, 30_000);
});

describe('the snippet for long polling', () => {
  // feature: 97
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

    const stream = streamClient({
      url: `${url}/orders`,
      headers: { 'last-event-id': start.after },
    });
    const streamed = (await stream.take(3)).map(({ id }) => id);
    stream.close();
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

describe('the snippet of generated types', () => {
  const page = 'docs/guide/openapi.md';

  it('fits a client of what the page describes, and no other', async () => {
    const described = snippets.find(({ document }) => document === page);
    const { PricesController } = (await import(described!.file)) as { PricesController: Type };
    const { nest } = await serve(PricesController);
    const document = SwaggerModule.createDocument(nest, new DocumentBuilder().build());
    const [, shown = ''] = /^```typescript\n([\s\S]*?)^```$/m.exec(textOf(page)) ?? [];
    const client = shown.replace('./api.js', './generated-api.js');
    expect(await compileClient(document, client)).toEqual([]);
    expect(await compileClient(document, client.replace('data.symbol', 'data.volume'))).toEqual([
      expect.stringContaining("'volume' does not exist"),
    ]);
  }, 60_000);
});

describe('the snippet of one type for server, page and document', () => {
  // feature: 86
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

describe('the snippet of a contract', () => {
  // feature: 86
  it('shows on its page what its server emits, and refuses what the contract does not allow', async () => {
    const snippet = snippets.find(({ document }) => document === 'docs/guide/contracts.md');
    const { AppModule, OrdersController, showOrders } = (await import(
      snippet!.file
    )) as ContractSnippet;
    const app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const shown: unknown[] = [];
    const leave = showOrders('c7', (...order) => shown.push(order), url);
    const hub = app.get(Broadcaster);
    await until('the page reads', () => hub.size('c7') === 1);
    await app.get(OrdersController).create('c7', 1);
    await until('the order is there', () => shown.length === 1);
    leave();
    expect(shown).toEqual([[1, '']]);
    await expect(hub.to('c7').emit('created', { no: 1.5 })).rejects.toThrow('no: ');
    const refused = await fetch(`${url}/orders/c7/events?limit=all`);
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining('query.limit: '),
    ]);
    await app.close();
  });
});

interface ContractSnippet {
  readonly AppModule: Type;
  readonly OrdersController: Type<{ create(customer: string, no: number): Promise<void> }>;
  readonly showOrders: (
    customer: string,
    show: (...order: unknown[]) => void,
    baseUrl: string,
  ) => () => void;
}

describe('the snippets of answers and jobs', () => {
  const exportsOf = (name: string): Promise<Record<string, never>> =>
    import(snippets.find(({ code }) => code.includes(name))!.file) as Promise<
      Record<string, never>
    >;

  it('show the whole answer, and ask once where the stream is cut', async () => {
    const { CompletionsController } = await exportsOf('class CompletionsController');
    const { ask } = (await exportsOf('function ask')) as unknown as { ask: Ask };
    let asked = 0;
    @Controller('cut')
    class Cut {
      @SseStream('complete', { method: RequestMethod.POST }) async *complete() {
        asked += 1;
        yield { type: 'token', data: { text: 'So far' } };
      }
    }
    const { url } = await serve([CompletionsController!, Cut], { sse: { retry: 1 } });
    const shown: string[] = [];
    const whole = await ask(`${url}/complete`, 'Why?', (text) => shown.push(text));
    expect(whole).toEqual({ text: 'You asked: Why?', isComplete: true });
    expect(shown).toEqual(['You ', 'You asked: ', 'You asked: Why?']);
    const cut = await ask(`${url}/cut/complete`, 'Why?', () => {});
    expect([cut, asked]).toEqual([{ text: 'So far', isComplete: false }, 1]);
  });

  it('stop the model when the client leaves', async () => {
    const { CompletionsController } = await exportsOf('class CompletionsController');
    const app = await serve(CompletionsController!);
    const closed = firstValueFrom(app.nest.get(SseConnections).closed$);
    const stream = app.open('/complete', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"prompt":"Why?"}',
    });
    await stream.next();
    stream.close();
    expect(await closed).toMatchObject({ reason: 'client' });
    expect(app.logged).toEqual([]);
  });

  it('show an answer to readers that come and return, and stop it when asked', async () => {
    const { AppModule } = await exportsOf('class AnswersController');
    const { readAnswer } = (await exportsOf('function readAnswer')) as unknown as {
      readAnswer: ReadAnswer;
    };
    const app = await NestFactory.create(AppModule!, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    const post = async (path: string) => {
      const headers = { 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body: '{"prompt":"Why?"}' };
      const answer = await fetch((await app.getUrl()) + path, init);
      return (await answer.json()) as { id: string; state: string };
    };
    const read = async (id: string) => {
      const shown: string[] = [];
      const url = `${await app.getUrl()}/answers/${id}/events`;
      const { closed } = readAnswer(url, (text, state) => shown.push(state ?? text));
      await closed;
      return shown;
    };
    const { id } = await post('/answers');
    const whole = ['You ', 'You asked: ', 'You asked: Why?', 'finished'];
    expect(await Promise.all([read(id), read(id)])).toEqual([whole, whole]);
    expect(await read(id)).toEqual(whole);

    const { id: other } = await post('/answers');
    expect(await post(`/answers/${other}/stop`)).toMatchObject({ state: 'stopped' });
    expect((await read(other)).at(-1)).toBe('stopped');
    await app.close();
  });

  it('report the progress of a job to its end, and stop it when asked', async () => {
    const { ExportsController } = await exportsOf('class ExportsController');
    const app = await serve(ExportsController!, { module: { imports: [SseRunsModule.forRoot()] } });
    const start = async () => {
      const answer = await fetch(`${app.url}/exports`, { method: 'POST' });
      return `/exports/${((await answer.json()) as { id: string }).id}`;
    };
    const job = await start();
    const stream = app.open(job);
    await stream.ended;
    expect(stream.events.filter(({ type }) => type === 'progress').map(({ data }) => data)).toEqual(
      Array.from({ length: 10 }, (_none, n) => ({ done: n + 1, of: 10 })),
    );
    expect(stream.events.at(-2)).toMatchObject({ type: 'run-end', data: { state: 'finished' } });

    const stopped = await start();
    await fetch(`${app.url}${stopped}/stop`, { method: 'POST' });
    const late = app.open(stopped);
    await late.ended;
    expect(late.events.at(-2)).toMatchObject({ type: 'run-end', data: { state: 'stopped' } });
  });
});

type Ask = (
  url: string,
  prompt: string,
  show: (text: string) => void,
) => Promise<{ text: string; isComplete: boolean }>;

type ReadAnswer = (
  url: string,
  show: (text: string, state?: string) => void,
) => { readonly closed: Promise<unknown> };

interface Poll {
  readonly events: readonly { readonly id: string }[];
  readonly covered: boolean;
  readonly after: string;
}
