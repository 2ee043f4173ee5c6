// What follows a gap with `onGap: 'rest'`, and cursors that no log gave out, on both adapters and
// both logs.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { Broadcaster, SseStream, type SseModuleOptions } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rest') rest(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { onGap: 'rest' });
  }
  @SseStream('snapshot') snapshot(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), {
      onGap: 'rest',
      snapshot: async (reason) => [{ type: 'now', data: { reason } }],
    });
  }
  @SseStream('tail') tail(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
}

type Log = SseModuleOptions['log'];

/** The default is the one in memory. */
const NO_LOG = (): Log => undefined;

/**
 * A process that publishes. On Redis clients come to another one, which has begun later and so
 * knows only what the log keeps.
 */
async function start(adapter: Adapter, makeLog: () => Log, maxEvents = 5) {
  const serveOne = () =>
    serve(Streams, { adapter, sse: { log: makeLog(), history: { maxEvents } } });
  const app = await serveOne();
  const { hub } = app.nest.get(Streams);
  let other: TestApp | undefined;
  const open = async (path: string, lastEventId?: string): Promise<TestStream> => {
    other ??= makeLog() === undefined ? app : await serveOne();
    return other.open(path, { headers: lastEventId ? { 'last-event-id': lastEventId } : {} });
  };
  const emitAll = async (rooms: string[], from: number, to: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = from; n <= to; n++) ids.push(await hub.to(...rooms).emit('n', n));
    return ids;
  };
  return { hub, open, emitAll };
}

const heard = async (stream: TestStream, count: number): Promise<unknown[]> =>
  (await stream.take(count)).map(({ type, data }) => (type === 'n' ? data : [type, data]));
const gap = (rooms: string[], reason: string) => ['sse-gap', { rooms, reason }];

function gaps(adapter: Adapter, makeLogs: () => () => Log): void {
  // feature: 50
  it('replays what is left of the room, then goes live', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const [first] = await emitAll(['main'], 1, 30);
    const stream = await open('/rest?rooms=main', first);
    expect(await heard(stream, 6)).toEqual([gap(['main'], 'trimmed'), 26, 27, 28, 29, 30]);
    await emitAll(['main'], 31, 32);
    expect(await heard(stream, 2)).toEqual([31, 32]);
    expect(stream.events.length).toBe(8);
  });

  it('keeps one order over all rooms, with each event once', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const [first] = await emitAll(['busy'], 1, 10);
    await emitAll(['quiet'], 11, 11);
    await emitAll(['busy', 'quiet'], 12, 13);
    await emitAll(['busy'], 14, 15);
    await emitAll(['quiet'], 16, 16);
    const stream = await open('/rest?rooms=busy,quiet', first);
    expect(await heard(stream, 8)).toEqual([gap(['busy'], 'trimmed'), 10, 11, 12, 13, 14, 15, 16]);
  });

  it('goes on in the middle of what was left, and is told no second gap', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const [first] = await emitAll(['main'], 1, 30);
    const stream = await open('/rest?rooms=main', first);
    const [, , second] = await stream.take(3);
    stream.close();
    expect(second?.data).toBe(27);
    expect(await heard(await open('/rest?rooms=main', second?.id), 3)).toEqual([28, 29, 30]);
  });

  it('replays the newest events that one resume carries', async () => {
    const { open, emitAll } = await start(adapter, makeLogs(), 2_000);
    const [first] = await emitAll(['main'], 1, 1_201);
    const stream = await open('/rest?rooms=main', first);
    const [told, ...rest] = await heard(stream, 1_001);
    expect(told).toEqual(gap(['main'], 'overflow'));
    expect([rest[0], rest.at(-1)]).toEqual([202, 1_201]);
  });

  it('replays what a new log has, to a client of the old one', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    await emitAll(['main'], 1, 2);
    const stream = await open('/rest?rooms=main', '1.another.zzz');
    expect(await heard(stream, 3)).toEqual([gap(['main'], 'epoch'), 1, 2]);
  });

  it('comes behind a snapshot', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const [first] = await emitAll(['main'], 1, 7);
    const stream = await open('/snapshot?rooms=main', first);
    expect(await heard(stream, 7)).toEqual([
      gap(['main'], 'trimmed'),
      ['now', { reason: 'gap' }],
      3,
      4,
      5,
      6,
      7,
    ]);
  });

  it('replays nothing where nobody knows what the client has', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    await emitAll(['main'], 1, 2);
    const stream = await open('/rest?rooms=main', '42');
    expect(await heard(stream, 1)).toEqual([gap(['main'], 'unknown')]);
    await emitAll(['main'], 3, 3);
    expect(await heard(stream, 1)).toEqual([3]);
  });

  // feature: 50
  it('a cursor from before the log began is told as a gap, and replays nothing twice', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const ids = await emitAll(['main'], 1, 2);
    const stream = await open('/tail?rooms=main', ids[0]!.slice(0, -4));
    const [told] = await heard(stream, 1);
    expect(told).toMatchObject(['sse-gap', { rooms: ['main'] }]);
    await emitAll(['main'], 3, 3);
    expect(await heard(stream, 1)).toEqual([3]);
  });

  it('a cursor of the opening, from before the first event, is one to go on from', async () => {
    const { open, emitAll } = await start(adapter, makeLogs());
    const stream = await open('/tail?rooms=main');
    await stream.until(({ cursor }) => cursor !== undefined);
    stream.close();
    await emitAll(['main'], 1, 2);
    expect(await heard(await open('/tail?rooms=main', stream.cursor), 2)).toEqual([1, 2]);
  });
}

describe.each(ADAPTERS)('onGap: rest, in memory (%s)', (adapter) => {
  gaps(adapter, () => NO_LOG);

  it('tells a cursor from before the log began as unknown', async () => {
    const { hub, open, emitAll } = await start(adapter, NO_LOG);
    const [id] = await emitAll(['main'], 1, 2);
    const cut = id!.slice(0, -4);
    const stream = await open('/tail?rooms=main', cut);
    expect(await heard(stream, 1)).toEqual([gap(['main'], 'unknown')]);
    expect(await hub.history('main', { after: cut })).toMatchObject({ covered: false });
  });
});

describeRedis('onGap: rest, on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());
  describe.each(ADAPTERS)('(%s)', (adapter) => {
    gaps(adapter, () => {
      const prefix = randomUUID();
      return () => redisEventLog({ url: server.url, prefix });
    });
  });
});
