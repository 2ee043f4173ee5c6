// What clients that are not ours do with cursors: a browser's EventSource and the eventsource
// package.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventSource } from 'eventsource';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { Browser } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import { Broadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import { until } from '../support/until.js';
import { CHROMIUM, describeChromium, launchChromium } from './chromium.js';
import { Registry } from '../../lib/connection/registry.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @Get() page() {
    return '<!doctype html><title>A page</title>';
  }
  @SseStream('stream', { keepAlive: { intervalMs: 20 } }) stream() {
    return this.hub.stream('main');
  }
}

@Module({ imports: [SseModule.forRoot({ retry: 20 })], controllers: [Streams] })
class AppModule {}

interface Server {
  readonly app: INestApplication;
  readonly hub: Broadcaster;
  readonly connections: Registry;
  readonly port: number;
}

async function serve(port = 0): Promise<Server> {
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(port, '127.0.0.1');
  return {
    app,
    hub: app.get(Broadcaster),
    connections: app.get(Registry),
    port: (app.getHttpServer().address() as AddressInfo).port,
  };
}

/** Collects the data of messages and gaps. */
interface Client {
  until(count: number): Promise<string[]>;
  close(): Promise<void>;
}

async function openPackage(origin: string, path = '/stream'): Promise<Client> {
  const source = new EventSource(origin + path);
  const got: string[] = [];
  let look = (): void => {};
  const add = ({ data }: { data: string }): void => {
    got.push(data);
    look();
  };
  source.addEventListener('message', add);
  source.addEventListener('sse-gap', add);
  return {
    until: (count) =>
      new Promise((resolve) => {
        look = () => got.length >= count && resolve(got);
        look();
      }),
    close: async () => source.close(),
  };
}

let browser: Browser | undefined;

async function openChromium(origin: string, path = '/stream'): Promise<Client> {
  const page = await browser!.newPage();
  await page.goto(origin);
  await page.evaluate((url) => {
    const got: string[] = [];
    const source = new globalThis.EventSource(url);
    source.addEventListener('message', ({ data }) => got.push(data as string));
    source.addEventListener('sse-gap', ({ data }) => got.push(data as string));
    Object.assign(globalThis, { got });
  }, path);
  return {
    until: async (count) => {
      await page.waitForFunction(
        (n) => (globalThis as typeof globalThis & { got: string[] }).got.length >= n,
        count,
      );
      return page.evaluate(() => (globalThis as typeof globalThis & { got: string[] }).got);
    },
    close: () => page.close(),
  };
}

const CLIENTS: [string, typeof openPackage][] = [
  ['the eventsource package', openPackage],
  ...(CHROMIUM === undefined ? [] : [['Chromium', openChromium] as [string, typeof openChromium]]),
];

describe.each(CLIENTS)('%s', (_name, open) => {
  const cleanUps: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    if (CHROMIUM !== undefined) browser ??= await launchChromium();
  }, 30_000);
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });
  afterAll(async () => {
    await browser?.close();
    browser = undefined;
  });

  const start = async () => {
    const server = await serve();
    cleanUps.push(() => server.app.close());
    const opened = firstValueFrom(server.connections.opened$);
    const client = await open(`http://127.0.0.1:${server.port}`);
    cleanUps.push(() => client.close());
    await opened;
    const emit = (data: string): Promise<string> => server.hub.publish('main', { data });
    return { ...server, client, emit };
  };
  /** Cuts or ends the stream, publishes while the client is away, and waits until it is back. */
  const away = async (
    { connections }: Server,
    cut: () => void,
    meanwhile: () => Promise<unknown>,
  ) => {
    const back = firstValueFrom(connections.opened$);
    cut();
    await meanwhile();
    return back;
  };

  // feature: 44
  // fault: 13
  it.each([
    ['a clean end', (connections: Registry) => connections.closeAll()],
    ['a destroyed socket', (connections: Registry) => connections.list()[0]?.destroy('client')],
  ])('misses nothing after %s', async (_what, cut) => {
    const world = await start();
    const { client, connections, emit } = world;
    await emit('one');
    expect(await client.until(1)).toEqual(['one']);
    await away(
      world,
      () => cut(connections),
      () => emit('two'),
    );
    await emit('three');
    expect(await client.until(3)).toEqual(['one', 'two', 'three']);
  });

  it('goes on from a cursor in the query, as a page that has kept one', async () => {
    const { port, client, connections, emit } = await start();
    const cursor = await emit('one');
    await client.until(1);
    await client.close();
    await until('the server sees it', () => connections.count === 0);
    await emit('two');
    const again = await open(`http://127.0.0.1:${port}`, `/stream?lastEventId=${cursor}`);
    expect(await again.until(1)).toEqual(['two']);
    await again.close();
    await until('the server sees it', () => connections.count === 0);
  }, 30_000);

  // feature: 51
  it('is told of the gap after a restart of the server, and goes on', async () => {
    const world = await start();
    await world.emit('one');
    await world.client.until(1);
    await world.app.close();
    const restarted = await serve(world.port);
    cleanUps.push(() => restarted.app.close());
    await firstValueFrom(restarted.connections.opened$);
    await world.client.until(2);
    await restarted.hub.publish('main', { data: 'two' });
    expect(await world.client.until(3)).toEqual([
      'one',
      '{"rooms":["main"],"reason":"epoch"}',
      'two',
    ]);
  });
});

/** WHATWG: a block without data sets the last event ID and fires nothing. */
describe('an id in a block without data', () => {
  const returnedAfter = async (
    open: typeof openPackage,
  ): Promise<{ returned: string | undefined; cursor: string }> => {
    const { app, connections, hub, port } = await serve();
    const opened = firstValueFrom(connections.opened$);
    const client = await open(`http://127.0.0.1:${port}`);
    const connection = await opened;
    await connection.send({ data: 'read this and the opening is read' });
    await client.until(1);
    const back = firstValueFrom(connections.opened$);
    connection.destroy('client');
    const { lastEventId } = await back;
    await client.close();
    const cursor = await hub.position();
    await app.close();
    return { returned: lastEventId, cursor };
  };

  describeChromium('in Chromium', () => {
    it('is what it comes back with', async () => {
      browser = await launchChromium();
      const { returned, cursor } = await returnedAfter(openChromium);
      expect(returned).toBe(cursor);
      await browser.close();
    }, 30_000);
  });

  // As the docs say of this client: until its first event it comes back as a new one.
  it('is passed over by the eventsource package', async () => {
    const { returned } = await returnedAfter(openPackage);
    expect(returned).toBeUndefined();
  });
});
