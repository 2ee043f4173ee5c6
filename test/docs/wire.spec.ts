// Each sample of a stream in the documents is what an app writes: a comment above it names the
// scenario that is run here.
import { afterAll, describe, expect, it } from '@jest/globals';
import { Controller, Param, type Type } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream, type SseModuleOptions } from 'nestjs-eventstream';
import { serve, type TestApp } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';
import { documents, textOf, writeSnippets } from './documents.js';

const { snippets, remove } = writeSnippets('run');
afterAll(remove);

interface Sample {
  readonly document: string;
  readonly scenario: string | undefined;
  readonly shown: string;
}

const samples = documents.flatMap((document) =>
  [...textOf(document).matchAll(/(?:<!-- wire: (.*) -->\n\n)?^```text\n([\s\S]*?)^```$/gm)]
    .map(([, scenario, shown = '']): Sample => ({ document, scenario, shown }))
    .filter(({ scenario, shown }) => scenario ?? /^(: |event:|id:|retry:|data:)/.test(shown)),
);

@Controller()
class Rooms {
  constructor(private readonly broadcaster: Broadcaster) {}
  @SseStream('rooms/:room') stream(@Param('room') room: string) {
    return this.broadcaster.stream(room);
  }
}

interface Open {
  readonly app: TestApp;
  readonly hub: Broadcaster;
  readonly stream: TestStream;
}

/** A client of a room, with its opening. */
async function inRoom(room: string, sse?: SseModuleOptions): Promise<Open> {
  const app = await serve(Rooms, { sse });
  const stream = app.open(`/rooms/${room}`);
  await textWith('id: ', stream);
  return { app, hub: app.nest.get(Broadcaster), stream };
}

/** All of the text, once it has this part and no block is cut. */
async function textWith(part: string, stream: TestStream): Promise<string> {
  await stream.until(({ text }) => text.includes(part) && text.endsWith('\n\n'));
  return stream.text;
}

/** What the snippet of this document exports. */
async function exportsOf(document: string, name: string): Promise<Record<string, Type>> {
  const snippet = snippets.find((one) => one.document === document && one.code.includes(`class ${name}`)); // prettier-ignore
  return (await import(snippet!.file)) as Record<string, Type>;
}

/** All of a stream that the snippet of the page about streams ends. */
const ofStreamsPage = (path: string) => async (): Promise<string> => {
  const { StreamsController } = await exportsOf('docs/guide/streams.md', 'StreamsController');
  return (await serve(StreamsController!)).open(path).ended;
};

/** The client has missed more than is kept. */
const gapIn = (room: string) => async (): Promise<string> => {
  const { app, hub, stream } = await inRoom(room, { history: { maxEvents: 1 } });
  stream.close();
  const seen = await hub.to(room).emit('seen', 1);
  for (const missed of [2, 3]) await hub.to(room).emit('not kept', missed);
  return textWith('sse-gap', app.open(`/rooms/${room}?lastEventId=${seen}`));
};

@Controller('lobby')
class Lobby {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('watch') watch() {
    return this.hub.stream('lobby', { presence: { watch: true } });
  }
  @SseStream('join') join() {
    const member = () => ({ id: '7', data: { name: 'Ann' } });
    return this.hub.stream('lobby', { presence: { member } });
  }
}

/** The stream of the page on state, and what its service does. */
function pricesUntil(text: string): () => Promise<string> {
  return async () => {
    const page = await exportsOf('docs/guide/state.md', 'PricesController');
    const { PricesController, PricesService } = page;
    const app = await serve(PricesController!, { module: { providers: [PricesService!] } });
    const service = app.nest.get<{
      update(symbol: string, quote: object): Promise<void>;
      delist(symbol: string): Promise<void>;
    }>(PricesService!);
    await service.update('ACME', { bid: 41.9, ask: 42 });
    await service.update('EVIL', { bid: 7.1, ask: 7.2 });
    const stream = app.open('/prices');
    if (text === '"EVIL"') return textWith(text, stream);
    await textWith('"EVIL"', stream);
    await service.update('ACME', { bid: 42, ask: 42.1 });
    await service.delist('EVIL');
    return textWith(text, stream);
  };
}

const SCENARIOS: Record<string, () => Promise<string>> = {
  async 'quick start'() {
    const { PricesController } = await exportsOf('README.md', 'PricesController');
    const app = await serve(PricesController!);
    const stream = app.open('/prices/ACME');
    await textWith('id: ', stream);
    const headers = { 'content-type': 'application/json' };
    await fetch(`${app.url}/prices/ACME`, { method: 'POST', headers, body: '{"value":42}' });
    return textWith('data: ', stream);
  },
  async 'a room'() {
    const { hub, stream } = await inRoom('kitchen');
    await hub.to('kitchen').emit('said', { text: 'dinner is ready' });
    return textWith('data: ', stream);
  },
  async 'a return'() {
    const { app, hub, stream } = await inRoom('ACME');
    stream.close();
    const cursor = /^id: (.*)$/m.exec(stream.text)?.[1];
    for (const value of [42, 43]) await hub.to('ACME').emit('price', { value });
    return textWith('"value":43', app.open(`/rooms/ACME?lastEventId=${cursor}`));
  },
  async 'an opening, an event, a keep-alive'() {
    const app = await serve(Rooms, { sse: { keepAlive: { intervalMs: 100 } } });
    const hub = app.nest.get(Broadcaster);
    // In the turn of the opening, before a keep-alive can be due.
    app.nest.get(SseConnections).opened$.subscribe(() => void hub.to('orders').emit('created', { no: 1 })); // prettier-ignore
    const stream = app.open('/rooms/orders');
    const text = await textWith(': keep-alive\nid: ', stream);
    // Nobody waits 15 s for a sample; of those the opening says nothing.
    return text.replace(', keep-alive 100', '');
  },
  async 'two rooms'() {
    const page = await exportsOf('docs/guide/rooms.md', 'OrdersController');
    const { OrdersController, OrdersService } = page;
    const app = await serve(OrdersController!, { module: { providers: [OrdersService!] } });
    const stream = app.open('/customers/ada/orders');
    await textWith('id: ', stream);
    const service = app.nest.get<{ ship(no: number, customer: string): Promise<void> }>(OrdersService!); // prettier-ignore
    await service.ship(7, 'ada');
    return textWith('data: ', stream);
  },
  async 'a roster'() {
    const app = await serve(Lobby);
    const watcher = app.open('/lobby/watch');
    await textWith('id: ', watcher);
    app.open('/lobby/join');
    return textWith('"name":"Ann"', watcher);
  },
  async 'a change of rooms'() {
    const { EventsController } = await exportsOf(
      'docs/guide/changing-rooms.md',
      'EventsController',
    );
    const app = await serve(EventsController!, { sse: { retry: 2741 } });
    const stream = app.open('/events?rooms=lobby');
    const text = await textWith('sse-open', stream);
    const token = /"stream":"([^"]*)"/.exec(text)?.[1];
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ stream: token, join: ['kitchen'] });
    await fetch(`${app.url}/events`, { method: 'POST', headers, body });
    return textWith('sse-rooms', stream);
  },
  'a state room': pricesUntil('"EVIL"'),
  'changes of a state room': pricesUntil('sse-delete'),
  async overflow() {
    const sse = { backpressure: { maxBufferedBytes: 100_000, overflow: 'drop-oldest' } } as const;
    const { app, hub, stream } = await inRoom('readings', sse);
    const [connection] = app.nest.get(SseConnections).list();
    stream.pause();
    await until('events are left out', async () => {
      for (let n = 0; n < 20; n++) await hub.to('readings').emit('reading', 'x'.repeat(10_000));
      return connection!.droppedEvents > 0;
    });
    stream.resume();
    return textWith('sse-gap', stream);
  },
  async 'a revocation'() {
    const { app, stream } = await inRoom('orders');
    app.nest.get(SseConnections).revoke(() => true);
    return stream.ended;
  },
  'a gap in ACME': gapIn('ACME'),
  'a gap in orders': gapIn('orders'),
  async 'an answer'() {
    const { CompletionsController } = await exportsOf('docs/guide/llm.md', 'CompletionsController');
    const headers = { 'content-type': 'application/json' };
    const body = '{"prompt":"Why?"}';
    const app = await serve(CompletionsController!);
    return app.open('/complete', { method: 'POST', headers, body }).ended;
  },
  messages: ofStreamsPage('/messages'),
  rows: ofStreamsPage('/rows'),
  countdown: ofStreamsPage('/countdown/1'),
  fails: ofStreamsPage('/fails'),
};

/** The reconnection time of an opening is drawn, and so are cursors: all else is as shown. */
const drawn = (text: string): string =>
  text
    .replace(/: connected\nretry: \d{4}/g, ': connected\nretry: n')
    .replace(/"since":\d+,"on":\["[\w-]{8}"\]/g, '"since":n,"on":[process]')
    .replace(/1\.[\w-]{8}\.[0-9a-z]{10,11}/g, 'cursor')
    .replace(/~(r\.[\w-]{5,10})~([jk])\.[\w-]{16}/g, '~$1~$2.key')
    .replace(/"[\w-]{8}\.[\w-]{22}"/g, '"token"')
    .trim();

describe('a sample of a stream is what an app writes', () => {
  it('each names its scenario, and no scenario is without a sample', () => {
    expect(samples.filter(({ scenario = '' }) => !(scenario in SCENARIOS))).toEqual([]);
    const shown = samples.map(({ scenario }) => scenario);
    expect(Object.keys(SCENARIOS).filter((name) => !shown.includes(name))).toEqual([]);
  });

  // feature: 105
  // fault: 25
  it.each(samples)(
    '$document: $scenario',
    async ({ scenario = '', shown }) => {
      const written = await SCENARIOS[scenario]!();
      expect(`\n\n${drawn(written)}\n\n`).toContain(`\n\n${drawn(shown)}\n\n`);
    },
    30_000,
  );
});
