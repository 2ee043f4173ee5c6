// How data becomes text where the app says how: for all streams, for a hub, or for one stream.
import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Param } from '@nestjs/common';
import { concat, map, of, timer } from 'rxjs';
import {
  Broadcaster,
  InjectBroadcaster,
  SseModule,
  SseStream,
  type Serialize,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';

interface Price {
  readonly symbol: string;
  readonly value: number;
}

const PRICE: Price = { symbol: 'ACME', value: 7 };
const XML = '<price>\n  <symbol>ACME</symbol>\r\n</price>';
const toXml = (data: unknown): string =>
  `<price>\n  <symbol>${(data as Price).symbol}</symbol>\r\n</price>`;
/** Another name on the wire than in the class. */
const renamed = (data: unknown): string => {
  const { symbol, value } = data as Price;
  return JSON.stringify({ ticker: symbol, value });
};
const typed = (data: unknown, type?: string): string => `${type}: ${(data as Price).value}`;
const refuses = (data: unknown): string => {
  if (data === 'broken') return 'text is not asked about';
  throw new Error('no schema for it');
};

@Controller()
class Streams {
  constructor(
    readonly hub: Broadcaster,
    @InjectBroadcaster('xml') readonly xmlHub: Broadcaster,
    @InjectBroadcaster('refusing') readonly refusing: Broadcaster,
    @InjectBroadcaster('plain') readonly plain: Broadcaster,
  ) {}
  @SseStream('xml', { serialize: toXml }) xml() {
    return of({ type: 'price', data: PRICE });
  }
  @SseStream('text', { serialize: toXml }) text() {
    return of({ data: '<own/>' }, { data: PRICE });
  }
  @SseStream('renamed', { serialize: renamed }) renamed() {
    return of({ data: PRICE });
  }
  @SseStream('typed', { serialize: typed }) typed() {
    return of({ type: 'price', data: PRICE }, { data: PRICE });
  }
  @SseStream('module') module() {
    return of({ data: PRICE });
  }
  @SseStream('throws', { serialize: refuses }) throws() {
    return concat(of('before'), timer(1).pipe(map(() => ({ type: 'price', data: PRICE }))));
  }
  @SseStream('throws-first', { serialize: refuses }) throwsFirst() {
    return of({ type: 'price', data: PRICE });
  }
  @SseStream('hub/:name', { serialize: () => 'of the stream' }) ofHub(@Param('name') name: string) {
    const { hub, xmlHub, refusing, plain } = this;
    return { xml: xmlHub, refusing, plain, default: hub }[name]!.stream('a');
  }
}

const start = (adapter: Adapter, sse: SseModuleOptions = {}, ofXmlHub: Serialize = toXml) =>
  serve(Streams, {
    adapter,
    sse,
    module: {
      imports: [
        SseModule.forFeature([
          { name: 'xml', serialize: ofXmlHub },
          { name: 'refusing', serialize: refuses },
          { name: 'plain', serialize: undefined },
        ]),
      ],
    },
  });

const body = (text: string): string => text.replace(/^: connected\nretry: \d+\n\n/, '');
const open = async (stream: TestStream): Promise<TestStream> => {
  await stream.until(({ text }) => /^id: /m.test(text));
  return stream;
};

describe.each(ADAPTERS)('serialize on %s', (adapter) => {
  // feature: 15
  it('of a stream makes XML of two lines or more, and the client has it as it was', async () => {
    const app = await start(adapter);
    const stream = app.open('/xml');
    expect(await stream.next()).toMatchObject({
      type: 'price',
      data: XML.replaceAll('\r\n', '\n'),
    });
    expect(body(await stream.ended)).toBe(
      'event: price\ndata: <price>\ndata:   <symbol>ACME</symbol>\ndata: </price>\n\n',
    );
  });

  // feature: 15
  it('may rename fields, knows the type, and is not asked about text', async () => {
    const app = await start(adapter);
    const read = async (path: string): Promise<unknown[]> => {
      const stream = app.open(path);
      await stream.ended;
      return stream.events.map(({ data }) => data);
    };
    expect(await read('/renamed')).toEqual([{ ticker: 'ACME', value: 7 }]);
    expect(await read('/typed')).toEqual(['price: 7', 'undefined: 7']);
    expect(await read('/text')).toEqual(['<own/>', XML.replaceAll('\r\n', '\n')]);
  });

  // feature: 15
  it('of the module is for streams and hubs that have none of their own', async () => {
    const app = await start(adapter, { serialize: () => 'of the module' });
    expect(body(await app.open('/module').ended)).toBe('data: of the module\n\n');
    const { hub, plain } = app.nest.get(Streams);
    for (const [name, broadcaster] of Object.entries({ default: hub, plain })) {
      const stream = await open(app.open(`/hub/${name}`));
      await broadcaster.to('a').emit('price', PRICE);
      expect((await stream.next()).data).toBe('of the module');
    }
  });

  // feature: 15, 54
  it('of a hub makes the frame of its event once, whatever the streams say that read it', async () => {
    const serialize = jest.fn(toXml);
    const app = await start(adapter, {}, serialize);
    const { xmlHub } = app.nest.get(Streams);
    const streams = await Promise.all([1, 2, 3].map(() => open(app.open('/hub/xml'))));
    const id = await xmlHub.to('a').emit('price', PRICE);
    const frame = `event: price\ndata: <price>\ndata:   <symbol>ACME</symbol>\ndata: </price>\nid: ${id}\n\n`;
    for (const stream of streams) await stream.until(({ text }) => text.endsWith(frame));
    expect(serialize.mock.calls).toEqual([[PRICE, 'price']]);
  });

  // feature: 15
  // fault: 4
  it('that throws in a stream is SSE_SERIALIZE, and nothing of the message is written', async () => {
    const app = await start(adapter);
    const text = body(await app.open('/throws').ended);
    expect(text).toMatch(/^data: before\n\nevent: sse-error\ndata: [^\n]*\n\n$/);
    expect(text).not.toMatch(/price|ACME|schema/);
    expect((await responded(app.open('/throws-first'))).status).toBe(500);
    const [late, early] = app.logged;
    for (const line of [late, early]) expect(line).toContain('no schema for it');
  });

  // feature: 15
  // fault: 4
  it('that throws in a hub rejects the publish with SSE_SERIALIZE, and readers go on', async () => {
    const app = await start(adapter);
    const { refusing } = app.nest.get(Streams);
    const stream = await open(app.open('/hub/refusing'));
    const before = stream.text;
    await expect(refusing.to('a').emit('price', PRICE)).rejects.toMatchObject({
      code: 'SSE_SERIALIZE',
      type: 'price',
      cause: new Error('no schema for it'),
    });
    await refusing.to('a').emit('text', 'whole');
    expect(await stream.next()).toMatchObject({ type: 'text', data: 'whole' });
    expect(stream.text.slice(before.length)).toMatch(/^event: text\ndata: whole\nid: \S+\n\n$/);
  });
});
