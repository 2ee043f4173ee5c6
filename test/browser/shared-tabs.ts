// An app whose pages share a stream, and what tests ask of these pages. The server publishes
// numbers all the time, and counts its connections.
import { expect } from '@jest/globals';
import { Body, Controller, Get, Header, Post } from '@nestjs/common';
import { build } from 'esbuild';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { Broadcaster, SseConnections, SseStream, type RoomsChange } from 'nestjs-eventstream';
import type { connect, EventStream } from 'nestjs-eventstream/client';
import type { connectTabs, SharedStream } from 'nestjs-eventstream/client/tabs';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

export interface PageGlobals {
  connectTabs: typeof connectTabs;
  connect: typeof connect;
  stream: SharedStream<{ n: number }> | EventStream<{ n: number }>;
  got: number[];
  /** What nobody wants to hear of: gaps. */
  others: string[];
  /** What the browser told the page about its life. */
  life: string[];
}

/**
 * On a busy machine a tab that leads may be silent for longer than any short time, and is then
 * replaced, rightly. So only the tests of tabs that hang set one.
 */
const TAKE_OVER_MS = 60_000;
/** For those tests. */
export const SOON = { takeOverMs: 800 };

const lib = join(import.meta.dirname, '../../lib');

/** As in an app that a bundler has made. */
const { outputFiles } = await build({
  stdin: {
    contents: `export * from '${lib}/client/index.ts'; export * from '${lib}/client/tabs/index.ts';`,
    resolveDir: lib,
  },
  bundle: true,
  write: false,
  format: 'esm',
});

@Controller()
class Site {
  constructor(private readonly hub: Broadcaster) {}
  @Get() @Header('content-type', 'text/html') page() {
    return `<!doctype html><title>A tab</title><script type="module">
      import { connect, connectTabs } from '/client.js';
      const life = [];
      const hear = (on, ...types) => types.forEach((type) => on.addEventListener(type, (event) =>
        life.push(type + (event.persisted === undefined ? '' : ' ' + event.persisted))));
      hear(window, 'pagehide', 'pageshow');
      hear(document, 'freeze', 'resume');
      Object.assign(globalThis, { connect, connectTabs, got: [], others: [], life });
    </script>`;
  }
  @Get('elsewhere') @Header('content-type', 'text/html') elsewhere() {
    return '<!doctype html><title>Another page</title>';
  }
  @Get('client.js') @Header('content-type', 'text/javascript') script() {
    return outputFiles[0]!.text;
  }
  @SseStream('stream') stream() {
    return this.hub.stream(['main', 'prices']);
  }
  @SseStream('panels') panels() {
    return this.hub.stream('main', { changeable: true });
  }
  @Post('panels') change(@Body() change: RoomsChange) {
    return this.hub.changeRooms(change);
  }
}

/** How a page reads: all tabs by one connection, or each by its own. */
export type Reader = 'connectTabs()' | 'connect()' | 'EventSource';

export class SharedTabs {
  readonly hub: Broadcaster;
  readonly connections: SseConnections;
  /** The highest number that was published. */
  last = 0;
  /** The last event IDs of the connections, in their order. */
  readonly cursors: (string | undefined)[] = [];
  mostOpen = 0;
  private publishing: NodeJS.Timeout | undefined;

  private constructor(
    app: TestApp,
    readonly url: string,
    private readonly context: BrowserContext,
    private readonly everyMs: number,
  ) {
    this.hub = app.nest.get(Broadcaster);
    this.connections = app.nest.get(SseConnections);
    this.connections.opened$.subscribe(({ lastEventId }) => {
      this.cursors.push(lastEventId);
      this.mostOpen = Math.max(this.mostOpen, this.connections.count);
    });
  }

  static async start(context: BrowserContext, everyMs = 2): Promise<SharedTabs> {
    const app = await serve(Site, { sse: { retry: 20 } });
    return new SharedTabs(app, app.url, context, everyMs);
  }

  publish(to: (n: number) => string = () => 'main'): void {
    this.publishing = setInterval(() => {
      this.last++;
      void this.hub.to(to(this.last)).emit('n', this.last);
    }, this.everyMs);
  }

  stop(): void {
    clearInterval(this.publishing);
  }

  /** Opens a page that reads, and waits until it does. */
  async open(options: object = {}, path = '/stream', by: Reader = 'connectTabs()'): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.url);
    await this.read(page, options, path, by);
    return page;
  }

  async read(
    page: Page,
    options: object = {},
    path = '/stream',
    by: Reader = 'connectTabs()',
  ): Promise<void> {
    await page.evaluate(
      async ({ address, given, reader, takeOverMs }) => {
        const to = globalThis as typeof globalThis & PageGlobals;
        if (reader === 'EventSource') {
          const source = new EventSource(address);
          source.addEventListener('n', ({ data }) => to.got.push(Number(data)));
          source.addEventListener('sse-gap', ({ data }) => to.others.push(`gap ${data}`));
          await new Promise((resolve) => source.addEventListener('open', resolve));
          return;
        }
        const stream =
          reader === 'connect()'
            ? to.connect<{ n: number }>(address, given)
            : to.connectTabs<{ n: number }>(address, { takeOverMs, ...given });
        to.stream = stream;
        stream.on('n', ({ data }) => to.got.push(data));
        stream.on('sse-gap', ({ data }) =>
          to.others.push(`gap ${data.reason} ${data.rooms.join()}`),
        );
        await new Promise<void>((resolve) => {
          stream.onState((state) => state === 'open' && resolve());
        });
      },
      { address: path, given: options, reader: by, takeOverMs: TAKE_OVER_MS },
    );
  }

  got(page: Page): Promise<number[]> {
    return page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).got);
  }

  /** Whether each page has the connection. */
  leading(...pages: Page[]): Promise<boolean[]> {
    return Promise.all(
      pages.map((page) =>
        page.evaluate(() => {
          const { stream } = globalThis as typeof globalThis & PageGlobals;
          return 'isLeading' in stream && stream.isLeading;
        }),
      ),
    );
  }

  others(page: Page): Promise<string[]> {
    return page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).others);
  }

  life(page: Page): Promise<string[]> {
    return page.evaluate(() => (globalThis as typeof globalThis & PageGlobals).life);
  }

  async gotSome(...pages: Page[]): Promise<void> {
    for (const page of pages) {
      const from = this.last;
      await until('a new event', async () => ((await this.got(page)).at(-1) ?? 0) > from);
    }
  }

  /** Stops publishing, and expects each page to have every event from its first one. */
  async expectExact(...pages: Page[]): Promise<void> {
    await this.expectWhole(...pages);
    await until('one connection', () => this.connections.count === 1);
  }

  /** The same, over any number of connections. */
  async expectWhole(...pages: Page[]): Promise<void> {
    this.stop();
    for (const page of pages) {
      const { last } = this;
      await until(`${last} events`, async () => (await this.got(page)).at(-1) === last);
      const numbers = await this.got(page);
      const first = numbers[0]!;
      const all = Array.from({ length: last - first + 1 }, (_, n) => first + n);
      const has = new Set(numbers);
      // oxlint-disable-next-line jest/no-standalone-expect -- called by tests
      expect({
        missing: all.filter((n) => !has.has(n)),
        wrong: numbers.filter((n, at) => at > 0 && n <= numbers[at - 1]!),
        others: await this.others(page),
      }).toEqual({ missing: [], wrong: [], others: [] });
    }
  }

  async fourTabs(options: object = {}): Promise<[Page, Page, Page, Page]> {
    const pages: [Page, Page, Page, Page] = [
      await this.open(options),
      await this.open(options),
      await this.open(options),
      await this.open(options),
    ];
    this.publish();
    await this.gotSome(...pages);
    return pages;
  }
}
