// The map of a state room in a real browser: of the client, and of the guide's lines for an
// EventSource. Both get the same bytes.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Header, Module, Res, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import ts from 'typescript';
import type { connect as Connect } from 'nestjs-eventstream/client';
import { until } from '../support/until.js';
import { describeChromium, launchChromium } from './chromium.js';
import { ClientFiles } from './client-module.js';

interface PageGlobals {
  connect: typeof Connect;
  ofClient: () => [string, unknown][];
  ofEventSource: () => [string, unknown][];
}

const guide = readFileSync(join(import.meta.dirname, '../../docs/guide/clients.md'), 'utf8');
const [, snippet = ''] =
  /### State rooms with EventSource\n[^]*?```ts\n([^]*?)```/.exec(guide) ?? [];

/** The open streams, with the last event ID that their clients brought. */
let streams: { readonly cursor: string | undefined; readonly response: ServerResponse }[] = [];

@Controller()
class Site {
  @Get() @Header('content-type', 'text/html') page() {
    const { outputText } = ts.transpileModule(snippet, {
      compilerOptions: { target: ts.ScriptTarget.ES2022 },
    });
    return `<!doctype html><title>A page</title><script type="module">
      import { connect } from '/lib/client/index.js';
      const map = connect('/prices').stateOf('prices');
      Object.assign(globalThis, { ofClient: () => [...map], ofEventSource: () => [...prices] });
      ${outputText}
    </script>`;
  }
  @Get('prices') prices(@Res() response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 20\n\n');
    const cursor = response.req.headers['last-event-id'];
    streams.push({ cursor: typeof cursor === 'string' ? cursor : undefined, response });
  }
}

const frame = (type: string, data: object, id?: number): string =>
  `event: ${type}\ndata: ${JSON.stringify({ room: 'prices', ...data })}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
const state = (entries: number): string => frame('sse-state', { rooms: ['prices'], entries });
const set = (key: string, value: number, id?: number): string =>
  frame('sse-set', { key, value }, id);
const remove = (key: string, id: number): string => frame('sse-delete', { key }, id);

describeChromium('a state room in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let app: INestApplication;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 30_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await context.close();
    await app.close();
  });

  /** To both clients, once both are there; `ends` breaks their connections afterwards. */
  const send = async (text: string, { ends = false } = {}): Promise<void> => {
    await until('two streams', () => streams.length === 2);
    for (const { response } of streams) {
      if (ends) response.end(text);
      else response.write(text);
    }
    if (ends) streams = [];
  };
  const maps = (): Promise<[string, unknown][][]> =>
    page.evaluate(() => {
      const { ofClient, ofEventSource } = globalThis as typeof globalThis & PageGlobals;
      return [ofClient(), ofEventSource()];
    });
  const both = async (entries: Record<string, number>): Promise<void> => {
    const expected = JSON.stringify([Object.entries(entries), Object.entries(entries)]);
    let found = '';
    const look = async (): Promise<boolean> => {
      found = JSON.stringify(await maps());
      return found === expected;
    };
    await until(`both have ${expected}`, look).catch(() => expect(found).toBe(expected));
  };

  it('has its entries in a map, of connect() and of ten lines for EventSource', async () => {
    const lines = snippet.split('\n').filter((line) => /\w/.test(line));
    expect(lines.length).toBe(10);
    streams = [];
    class AppModule {}
    Module({ controllers: [Site, ClientFiles] })(AppModule);
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(await app.getUrl());

    await send(state(2) + set('A', 1), { ends: true });
    await send(state(2) + set('A', 1) + set('B', 2) + set('C', 3, 5));
    await both({ A: 1, B: 2, C: 3 });
    expect(streams.map(({ cursor }) => cursor)).toEqual([undefined, undefined]);
    await send(remove('A', 6) + set('B', 4, 7));
    await both({ B: 4, C: 3 });

    // What has come of a state is dropped with the connection, and changes go on from before.
    await send(state(2) + set('X', 0), { ends: true });
    await send(set('D', 5, 8));
    await both({ B: 4, C: 3, D: 5 });
    expect(streams.map(({ cursor }) => cursor)).toEqual(['7', '7']);

    await send(state(1) + set('E', 6));
    await both({ E: 6 });
    await send(state(0));
    await both({});
  }, 30_000);
});
