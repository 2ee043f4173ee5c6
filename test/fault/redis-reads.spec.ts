// What large rooms, and events for very many rooms, cost: a bounded amount, and never the publishes
// of others.
import { afterAll, afterEach, expect, it, jest } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const proxies: TcpProxy[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  await stopAllRedis();
});
afterAll(stopAllRedis);

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('newest') newest(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { rewind: 3 });
  }
}

async function startApp(redis: RedisServer) {
  const way = await startProxy(redis.port);
  proxies.push(way);
  const log = redisEventLog({ url: `redis://127.0.0.1:${way.port}` });
  const app = await serve(Streams, { sse: { log, retry: 1 } });
  return { app, way, hub: app.nest.get(Streams).hub };
}

const open = (app: TestApp, rooms: string, lastEventId: string) =>
  app.open(`/rooms?rooms=${rooms}`, { headers: { 'last-event-id': lastEventId } });

/** On a busy machine it may take longer than a call may. */
async function accepted(hub: Broadcaster, rooms: readonly string[], data: string) {
  let id: string | undefined;
  await until('it is accepted', async () => {
    id = await hub
      .to(...rooms)
      .emit('n', data, { key: data })
      .catch(() => undefined);
    return id !== undefined;
  });
  return id ?? '';
}

const sentBy = async (redis: RedisServer): Promise<number> =>
  Number(/total_net_output_bytes:(\d+)/.exec(await redis.command('INFO', 'stats'))?.[1]);

/** How often scripts have read some of a stream. */
const readsIn = async (redis: RedisServer): Promise<number> =>
  [...(await redis.command('INFO', 'commandstats')).matchAll(/cmdstat_x(?:rev)?range:calls=(\d+)/g)]
    .map(([, calls]) => Number(calls))
    .reduce((sum, calls) => sum + calls, 0);

const MIB = 1_048_576;

describeRedis('a room of 36 MB', () => {
  it('is not read for clients that have missed too much of it, and publishes go on', async () => {
    const redis = await startRedis();
    const publisher = await startApp(redis);
    const first = await publisher.hub.to('large', 'small').emit('n', 0);
    const text = 'x'.repeat(40_000);
    const ids: string[] = [];
    for (let n = 0; n < 900; n++) ids.push(await publisher.hub.to('large').emit('n', text));
    await publisher.hub.to('small').emit('n', 'small');
    await publisher.app.close();

    const { app, hub } = await startApp(redis);
    const before = await sentBy(redis);
    const clients = Array.from({ length: 10 }, () => open(app, 'large,small', first));
    const near = open(app, 'large', ids.at(-6)!);
    const publishing = Promise.all(
      Array.from({ length: 20 }, (_, n) => hub.to('other').emit('n', n)),
    );
    for (const client of clients) {
      const told = [await client.next(), await client.next()].map(({ type, data }) => [type, data]);
      expect(told).toEqual([
        ['sse-gap', { rooms: ['large'], reason: 'overflow' }],
        ['n', 'small'],
      ]);
    }
    expect(await near.take(5)).toHaveLength(5);
    await publishing;
    // The newest of the room, once for all of them.
    expect((await sentBy(redis)) - before).toBeLessThan(4 * MIB);
  });

  it('is looked at no further than the limits, in whatever company', async () => {
    const redis = await startRedis();
    const { app, hub } = await startApp(redis);
    const rooms = Array.from({ length: 40 }, (_none, n) => `room ${n}`);
    const first = await hub.to(...rooms).emit('n', 0);
    for (const room of rooms) await hub.to(room).emit('n', 'x'.repeat(MIB - 1_000));
    await app.close();
    const fresh = await startApp(redis);
    const before = await readsIn(redis);
    const client = open(fresh.app, rooms.join(), first);
    expect((await client.next()).type).toBe('sse-gap');
    expect((await readsIn(redis)) - before).toBeLessThan(rooms.length / 2);
  });

  it('gives up the connection that reads when no answer comes, and no other', async () => {
    const redis = await startRedis();
    const { hub } = await startApp(redis);
    const first = await hub.to('a').emit('n', 0);
    await hub.to('a').emit('n', 1);
    const fresh = await startApp(redis);
    const isRead = (sent: string): boolean => /XREVRANGE|eval[^]*:room:a/.test(sent);
    fresh.way.holdWhen = isRead;
    const client = open(fresh.app, 'a', first);
    let isGivenUp = false;
    void client.ended.then(() => (isGivenUp = true));
    for (let n = 0; n < 30; n++) await fresh.hub.to('b').emit('n', n);
    // None of them waited for the read.
    expect(isGivenUp).toBe(false);
    expect(await client.ended).toMatch(/^retry: \d+\n\n$/);
    await fresh.hub.to('b').emit('n', 'after');
    fresh.way.holdWhen = undefined;
    fresh.way.heal();
    await until('a client is served again', async () => {
      const again = open(fresh.app, 'a', first);
      return again
        .until(({ text: all }) => all.includes('data: 1'))
        .then(
          () => true,
          () => false,
        );
    });
  });
});

describeRedis('the last events of a hundred rooms', () => {
  it('cost a newcomer one script', async () => {
    const redis = await startRedis();
    const { app, hub } = await startApp(redis);
    const rooms = Array.from({ length: 100 }, (_, n) => `room ${n}`);
    for (const [n, room] of rooms.entries()) await hub.to(room).emit('n', n);
    const reads = async (): Promise<number> => {
      const stats = await redis.command('INFO', 'commandstats');
      return Number(/cmdstat_xrevrange:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const scripts = async (): Promise<number> => {
      const stats = await redis.command('INFO', 'commandstats');
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const arrive = () => app.open(`/newest?rooms=${rooms.map(encodeURIComponent).join()}`);
    // Sent in full once.
    await arrive().take(3);
    const before = [await scripts(), await reads()] as const;
    expect((await arrive().take(3)).map(({ data }) => data)).toEqual([97, 98, 99]);
    // The head, and all rooms at once.
    expect((await scripts()) - before[0]).toBe(2);
    expect((await reads()) - before[1]).toBeLessThanOrEqual(rooms.length);
  });
});

describeRedis('an event for 20 000 rooms', () => {
  const ROOMS = Array.from({ length: 20_000 }, (_, n) => `follower ${n}`);

  it('is kept in each of them, as in memory, and is found again from each', async () => {
    const redis = await startRedis();
    const { hub } = await startApp(redis);
    const before = await hub.to(ROOMS[7]!, ROOMS[19_999]!).emit('n', 'before');
    const wide = await accepted(hub, ROOMS, 'wide');
    await accepted(hub, ROOMS, 'wide again');
    await hub.to(ROOMS[7]!).emit('n', 'after');
    const usedMs = async (): Promise<number> => {
      const stats = await redis.command('INFO', 'commandstats');
      return Number(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/.exec(stats)?.[1] ?? 0) / 1_000;
    };
    console.log(`two events for 20 000 rooms: ${await usedMs()} ms of Redis`);
    const page = await hub.history(ROOMS[7]!, { after: before });
    expect(page.covered).toBe(true);
    expect(page.events.map(({ data }) => data)).toEqual(['wide', 'wide again', 'after']);
    expect((await hub.history(ROOMS[500]!, { after: wide })).events).toHaveLength(1);
    // Its text is there once, and counts once.
    const kept = Number(await redis.command('HGET', 'sse:{hub:}:meta', 'bytes'));
    expect(kept).toBeLessThan(4 * MIB);
    const fresh = await startApp(redis);
    const client = open(fresh.app, ROOMS[7]!, before);
    const events = await client.take(3);
    expect(events.map(({ data }) => data)).toEqual(['wide', 'wide again', 'after']);
  });
});
