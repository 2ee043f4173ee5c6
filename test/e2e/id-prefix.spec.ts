// Ids that say of which stream they are: the prefix goes out with every id, and comes off again.
import { describe, expect, it } from '@jest/globals';
import { Controller, Headers, Query } from '@nestjs/common';
import {
  Broadcaster,
  InjectBroadcaster,
  LastEventId,
  SseModule,
  SseStream,
  type HubStreamOptions,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { concatMap, delay, map, merge, of, type Observable } from 'rxjs';
import { Registry } from '../../lib/connection/registry.js';
import { gap, numbers, range, returning } from '../support/resuming.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';

type Options = HubStreamOptions<Record<string, unknown>>;

@Controller()
class Streams {
  readonly returnedWith: unknown[] = [];
  constructor(
    readonly hub: Broadcaster,
    @InjectBroadcaster('second') readonly second: Broadcaster,
    @InjectBroadcaster('third') readonly third: Broadcaster,
  ) {}
  @SseStream('stream') stream(@Query('prefix') idPrefix: string, @LastEventId() id?: string) {
    this.returnedWith.push(id);
    return this.hub.stream('main', { idPrefix });
  }
  @SseStream('plain') plain() {
    return this.hub.stream('main');
  }
  @SseStream('changed') changed() {
    const events: Observable<object> = this.hub.stream('main', { idPrefix: 'p/' });
    return events.pipe(
      concatMap((event) => of(event).pipe(delay(1))),
      map((event) => ({ ...event, type: 'changed' })),
    );
  }
  @SseStream('hubs') hubs(@Query('count') count: string) {
    const hubs = [this.hub, this.second, this.third].slice(0, Number(count));
    return merge(...hubs.map((hub) => hub.stream('main', { idPrefix: 'p/' })));
  }
  @SseStream('mixed') mixed(@Query('first') first?: string, @Query('then') then?: string) {
    const streams = [first, then].map((idPrefix) => this.hub.stream('main', { idPrefix }));
    return merge(...streams);
  }
  @SseStream('controlled') controlled() {
    const stop = this.hub.stream('stop', { lastEventId: false });
    return merge(stop, this.hub.stream('main', { idPrefix: 'p/' }));
  }
  @SseStream('given') given(@Headers('x-after') lastEventId: string) {
    return this.hub.stream('main', { idPrefix: 'p/', lastEventId });
  }
}

async function start(adapter: Adapter, sse: SseModuleOptions = {}) {
  const module = { imports: [SseModule.forFeature([{ name: 'second' }, { name: 'third' }])] };
  const app = await serve(Streams, { adapter, module, sse: { retry: 1, ...sse } });
  const streams = app.nest.get(Streams);
  const emitAll = async (from: number, to: number): Promise<string[]> => {
    const ids: string[] = [];
    for (const n of range(from, to)) ids.push(await streams.hub.to('main').emit('n', n));
    return ids;
  };
  const open = (path: string, lastEventId?: string): TestStream =>
    app.open(path, returning(lastEventId));
  return { app, streams, hub: streams.hub, open, emitAll };
}

const MARKED = /^slow\/1\..*~s\.([\w-]{8})$/;
const idsIn = ({ text }: TestStream): string[] =>
  [...text.matchAll(/^id: (.*)$/gm)].map(([, id = '']) => id);
const begun = (stream: TestStream): Promise<void> =>
  stream.until(({ text }) => text.includes('\n\n'));

describe.each(ADAPTERS)('a prefix of ids (%s)', (adapter) => {
  it('is on every id, and each of them is a place to go on from', async () => {
    const { open, emitAll, streams } = await start(adapter, { keepAlive: { intervalMs: 40 } });
    const stream = open('/stream?prefix=session-1/');
    await begun(stream);
    const cursors = await emitAll(1, 3);
    await numbers(stream, 3);
    const events = stream.events.map(({ id }) => id);
    expect(events).toEqual(cursors.map((cursor) => `session-1/${cursor}`));
    const count = idsIn(stream).length;
    await stream.until(() => idsIn(stream).length > count);
    expect(idsIn(stream).filter((id) => !id.startsWith('session-1/1.'))).toEqual([]);
    stream.close();
    await emitAll(4, 5);
    const ids = idsIn(stream);
    const last = [ids[0], ...events, ids.at(-1)];
    for (const [n, after] of [0, 1, 2, 3, 3].entries()) {
      const back = open('/stream?prefix=session-1/', last[n]);
      expect(await numbers(back, 5 - after)).toEqual(range(after + 1, 5));
      expect(back.text).not.toContain('sse-gap');
      back.close();
    }
    expect(streams.returnedWith).toEqual([undefined, ...last]);
  });

  it.each<[string, (cursor: string) => string]>([
    ['of another stream', (cursor) => `session-2/${cursor}`],
    ['that begins with it', (cursor) => `session-1/1/${cursor}`],
    ['that is missing', (cursor) => cursor],
    ['without a cursor', () => 'session-1/'],
    ['before what is too long', (cursor) => `session-1/${'~1.a.1'.repeat(30)}${cursor}`],
  ])('%s is told as a gap, and then come live events', async (_title, idOf) => {
    const { open, emitAll } = await start(adapter);
    const [cursor = ''] = await emitAll(1, 3);
    const back = open('/stream?prefix=session-1/', idOf(cursor));
    expect(await back.next()).toEqual(gap(['main'], 'unknown'));
    await emitAll(4, 4);
    expect(await back.next()).toMatchObject({ data: 4 });
  });

  it('is not known to a stream without one', async () => {
    const { open, emitAll } = await start(adapter);
    const [cursor = ''] = await emitAll(1, 1);
    expect(await open('/plain', `session-1/${cursor}`).next()).toEqual(gap(['main'], 'unknown'));
  });

  it('differs per reader of one room, and others share their frames as ever', async () => {
    const { open, emitAll } = await start(adapter);
    const readers = ['/stream?prefix=a', '/stream?prefix=b', '/plain', '/plain'].map((path) =>
      open(path),
    );
    for (const reader of readers) await begun(reader);
    const [cursor] = await emitAll(1, 1);
    const ids = await Promise.all(readers.map(async (reader) => (await reader.next()).id));
    expect(ids).toEqual([`a${cursor}`, `b${cursor}`, cursor, cursor]);
  });

  it('stays where operators change and delay events, and nothing is lost', async () => {
    const { open, emitAll } = await start(adapter);
    const stream = open('/changed');
    await begun(stream);
    const cursors = await emitAll(1, 4);
    await stream.until(({ events }) => events.length === 2);
    stream.close();
    const seen = stream.events.length;
    expect(stream.events.map(({ id }) => id)).toEqual(
      cursors.slice(0, seen).map((cursor) => `p/${cursor}`),
    );
    const back = open('/changed', stream.events.at(-1)?.id);
    expect(await numbers(back, 4 - seen)).toEqual(range(seen + 1, 4));
  });

  it('stands before the cursors of two hubs, and a third is too many', async () => {
    const { open, streams, emitAll } = await start(adapter);
    const both = open('/hubs?count=2');
    await begun(both);
    await emitAll(1, 1);
    await streams.second.to('main').emit('n', 2);
    expect((await numbers(both, 2)).sort((one, other) => Number(one) - Number(other))).toEqual([
      1, 2,
    ]);
    both.close();
    const { id = '' } = both.events.at(-1) ?? {};
    expect(id).toMatch(/^p\/1\.[\w-]+\.\w+~1\.[\w-]+\.\w+$/);
    await emitAll(3, 3);
    await streams.second.to('main').emit('n', 4);
    const back = open('/hubs?count=2', id);
    expect((await numbers(back, 2)).sort((one, other) => Number(one) - Number(other))).toEqual([
      3, 4,
    ]);
    const third = open('/hubs?count=3');
    await third.ended;
    expect(third.status).toBe(500);
  });

  it.each(['first=a&then=b', 'first=a', 'then=a'])(
    'is one for all streams of a connection: %s is refused',
    async (query) => {
      const { app, open } = await start(adapter);
      const stream = open(`/mixed?${query}`);
      await stream.ended;
      expect(stream.status).toBe(500);
      expect(app.logged.join()).toContain('set the same idPrefix in each');
    },
  );

  it('does not concern a stream without ids beside it', async () => {
    const { open, emitAll } = await start(adapter);
    const stream = open('/controlled');
    await begun(stream);
    const [cursor] = await emitAll(1, 1);
    expect(await stream.next()).toMatchObject({ data: 1, id: `p/${cursor}` });
  });

  it('belongs to a last event ID that the handler passes, too', async () => {
    const { app, emitAll } = await start(adapter);
    const [cursor = ''] = await emitAll(1, 2);
    const open = (after: string) => app.open('/given', { headers: { 'x-after': after } });
    expect(await open(`p/${cursor}`).next()).toMatchObject({ data: 2 });
    expect(await open(cursor).next()).toEqual(gap(['main'], 'unknown'));
  });

  it('is kept by the client of this library over its reconnects', async () => {
    const { app, emitAll, hub } = await start(adapter);
    const stream = connect(`${app.url}/stream?prefix=tab/`, {
      lastEventId: `tab/${await hub.position()}`,
    });
    const read: unknown[] = [];
    const whole = new Promise<void>((resolve) => {
      stream.on('n', ({ data }) => {
        read.push(data);
        if (read.length % 5 === 0) hub.closeRoom('main');
        if (data === 20) resolve();
      });
    });
    await emitAll(1, 20);
    await whole;
    expect(read).toEqual(range(1, 20));
    stream.close();
  });

  it('stands before the mark of a slow client, which is known by it', async () => {
    const { app, open, hub } = await start(adapter, {
      backpressure: { maxBufferedBytes: 20_000_000 },
      history: { maxEvents: 10_000, maxBytes: 1e9 },
    });
    const connections = app.nest.get(Registry);
    const [path, text] = ['/stream?prefix=slow/', 'x'.repeat(10_000)];
    const waits = () => connections.list()[0]?.bufferedBytes ?? 0;
    const slow = open(path);
    await begun(slow);
    slow.pause();
    const isFull = () => waits() > 5_000_000;
    while (!isFull()) {
      for (let n = 0; n < 20; n++) await hub.to('main').emit('n', text);
      await app.open('/none').ended;
    }
    slow.resume();
    await slow.until(() => waits() === 0 && MARKED.test(idsIn(slow).at(-1) ?? ''));
    let id = idsIn(slow).at(-1);
    const marks = new Set([MARKED.exec(id ?? '')?.[1]]);
    for (let cut = 1; cut <= 3; cut++) {
      connections.list()[0]?.destroy('overflow');
      while (connections.count > 0) await app.open('/none').ended;
      if (cut === 3) break;
      const stream = open(path, id);
      const last = await hub.to('main').emit('n', cut);
      await stream.until(({ events }) => events.at(-1)?.id?.includes(last) === true);
      // Each of its frames has the mark now, the opening too.
      for (const each of idsIn(stream)) marks.add(MARKED.exec(each)?.[1]);
      id = stream.events.at(-1)?.id;
    }
    expect(marks.size).toBe(1);
    await hub.to('main').emit('n', 'missed');
    expect(await open(path, id).next()).toEqual(gap(['main'], 'overflow'));
  });
});

describe('a wrong prefix', () => {
  const WRONG = '1 to 64 printable ASCII characters without spaces';
  it.each<[Options, string]>([
    [{ idPrefix: '' }, `stream().idPrefix: expected ${WRONG}, got ""`],
    [{ idPrefix: 'a\nb' }, WRONG],
    [{ idPrefix: 'a\rb' }, WRONG],
    [{ idPrefix: 'a\0b' }, WRONG],
    [{ idPrefix: ' a' }, WRONG],
    [{ idPrefix: 'zoë/' }, WRONG],
    [{ idPrefix: 'x'.repeat(65) }, WRONG],
    [{ idPrefix: 7 as never }, `expected ${WRONG}, got 7`],
    [{ idPrefix: 'a', lastEventId: false }, 'leave out `lastEventId`, or `idPrefix`'],
    [{ idPrefix: 'a', connection: false }, 'leave out `connection`, or `idPrefix`'],
    [{ idPrefix: 'a', changeable: true }, 'leave out `changeable`, or `idPrefix`'],
  ])('is refused at once: %j', async (options, message) => {
    const { hub } = await start('express');
    expect(() => hub.stream('main', options)).toThrow(
      expect.objectContaining({
        code: 'SSE_OPTIONS',
        message: expect.stringContaining(message),
      }),
    );
  });

  it('is one of a hub without history, or of a stream without a connection', async () => {
    const { hub } = await start('express', { history: false });
    expect(() => hub.stream('main', { idPrefix: 'a' })).toThrow('needs history');
    const other = await start('express');
    const failed = new Promise((_resolve, reject) => {
      other.hub.stream('main', { idPrefix: 'a' }).subscribe({ error: reject });
    });
    await expect(failed).rejects.toThrow('`idPrefix` has no connection');
  });
});
