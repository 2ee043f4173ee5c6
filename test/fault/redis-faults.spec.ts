// What happens to streams and publishes while Redis, or the way to it, is not well. FAULT_SEED
// repeats the random choices of a run; FAULT_RUNS=20 makes the long one longer.
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { SSE_CHANNELS, type SseDiagnostics } from 'nestjs-eventstream';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import { EXACT, FAULT_RUNS, FAULT_SEED, FlappingWorld } from '../support/flapping.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServerOptions,
} from '../support/redis-server.js';
import { startProxy, type ProxyConnections, type TcpProxy } from '../support/tcp-proxy.js';
import { until, untilReplicated } from '../support/until.js';

jest.setTimeout(40_000);

const proxies: TcpProxy[] = [];

beforeAll(() => console.log(`FAULT_SEED=${FAULT_SEED} FAULT_RUNS=${FAULT_RUNS}`));

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  await stopAllRedis();
});

afterAll(stopAllRedis);

interface Setup extends RedisServerOptions {
  apps?: number;
  log?: Omit<RedisEventLogOptions, 'url' | 'client'>;
}

/** One Redis, and a way of its own to it for each app. */
async function start({ apps = 2, log = {}, ...server }: Setup = {}) {
  const redis = await startRedis(server);
  const ways = await Promise.all(Array.from({ length: apps }, () => startProxy(redis.port)));
  proxies.push(...ways);
  const world = await FlappingWorld.start(
    ways.map(({ port }) =>
      redisEventLog({ url: `redis://127.0.0.1:${port}`, probeIntervalMs: 200, ...log }),
    ),
  );
  return { redis, ways, world };
}

const subscriber = (way: TcpProxy): ProxyConnections =>
  way.connectionsWhere((sent) => /\bsubscribe\b/i.test(sent));
const publisher = (way: TcpProxy): ProxyConnections =>
  way.connectionsWhere((sent) => /\beval/i.test(sent));

/** Each in its time: one may be mended before another notices. */
const inTrouble = async (world: FlappingWorld, ...apps: number[]): Promise<void> => {
  const told = (app: number): boolean => world.troubles[app] !== undefined;
  await Promise.all(apps.map((app) => until('the log tells of it', () => told(app))));
};
/** Also one that is over before anybody could ask. */
const troubles = (count: number): Promise<void> =>
  new Promise((resolve) => {
    let heard = 0;
    const hear = (message: unknown): void => {
      if ((message as SseDiagnostics['log']).trouble === undefined || ++heard < count) return;
      unsubscribe(SSE_CHANNELS.log, hear);
      resolve();
    };
    subscribe(SSE_CHANNELS.log, hear);
  });
const allWell = (world: FlappingWorld): Promise<void> =>
  until('no log is in trouble', () => world.troubles.every((why) => why === undefined));

describeRedis('streams on Redis', () => {
  it('get each event while subscriptions are cut again and again', async () => {
    const { redis, world } = await start({ apps: 3 });
    for (let n = 0; n < 25; n++) {
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      // Beside those who leave when they have read enough.
      if (n % 2 === 0) world.drop();
      await world.more(8);
    }
    expect(await world.finish()).toEqual(EXACT);
    expect(world.drops).toBeGreaterThan(20);
  });

  // fault: 29
  it('get each event while all connections are cut again and again', async () => {
    const { ways, world } = await start();
    for (let n = 0; n < 12; n++) {
      for (const way of ways) way.cut();
      await world.more(8);
    }
    expect(await world.finish()).toEqual(EXACT);
  });

  it('stay open while Redis refuses connections, and publishes are refused', async () => {
    const { ways, world } = await start();
    for (const way of ways) way.refuse();
    await inTrouble(world, 0, 1);
    world.drop();
    await world.refused(1);
    for (const way of ways) way.heal();
    await world.more(20);
    await allWell(world);
    expect(await world.finish()).toEqual(EXACT);
    expect(world.refusals[0]?.code).toBe('SSE_LOG_UNAVAILABLE');
  });

  it('stay open while nothing passes in either direction', async () => {
    const { ways, world } = await start();
    for (const way of ways) way.blackHole();
    await world.refused(2);
    world.drop();
    await inTrouble(world, 0, 1);
    for (const way of ways) way.heal();
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event when the way to one app is a black hole, and the other goes on', async () => {
    const { ways, world } = await start();
    ways[0]!.blackHole();
    await world.refused(1);
    world.drop();
    await world.more(4);
    ways[0]!.heal();
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event when a subscription is dead and does not say so', async () => {
    const { ways, world } = await start();
    const began = performance.now();
    const noticed = troubles(2);
    for (const way of ways) subscriber(way).blackHole();
    await noticed;
    await allWell(world);
    // Two intervals of silence, two probes that are not heard, and what is left of an interval.
    expect(performance.now() - began).toBeLessThan(5 * 200 + 1_500);
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event when a publisher is dead and does not say so', async () => {
    const { ways, world } = await start();
    publisher(ways[0]!).blackHole();
    await world.refused(1);
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event when a connection dies while it subscribes', async () => {
    const { ways, world } = await start();
    for (const way of ways) {
      way.holdWhen = (sent) => /\bsubscribe\b/i.test(sent);
      subscriber(way).cut();
    }
    await until('both are held', () => ways.every((way) => subscriber(way).count > 0));
    for (const way of ways) way.holdWhen = undefined;
    await world.more(20);
    await allWell(world);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event over a slow way', async () => {
    const { ways, world } = await start();
    ways[0]!.delayMs = 40;
    await world.more(15);
    ways[1]!.delayMs = 20;
    world.drop();
    await world.more(15);
    ways[0]!.delayMs = 0;
    expect(await world.finish()).toEqual(EXACT);
  });

  it('stay open while Redis hangs', async () => {
    const { redis, world } = await start();
    redis.pause();
    await world.refused(2);
    world.drop();
    await inTrouble(world, 0, 1);
    redis.resume();
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get each event when a durable Redis is killed and comes back with its data', async () => {
    const { redis, world } = await start({ persist: true, log: { durable: true } });
    for (let n = 0; n < 2; n++) {
      await redis.kill();
      world.drop();
      await world.refused(1);
      await redis.restart();
      await world.more(30);
    }
    expect(await world.finish()).toEqual(EXACT);
  });

  it('are told of a gap when Redis restarts, with all its data too, where nobody vouches for it', async () => {
    const { redis, world } = await start({ persist: true });
    await redis.restart();
    world.drop();
    await world.more(30);
    expect(await world.finish()).toEqual({ ...EXACT, gaps: ['epoch'] });
  });

  it('are told that all is lost when Redis comes back empty, once, and go on', async () => {
    const { redis, world } = await start();
    await world.pause();
    await redis.kill();
    await redis.restart({ empty: true });
    world.publish();
    world.drop();
    await world.more(50);
    expect(await world.finish()).toEqual({ ...EXACT, gaps: ['epoch'] });
    for (const items of world.steadyItems) {
      expect(items.filter(({ kind }) => kind === 'gap')).toHaveLength(1);
    }
  });

  it('get each event when Redis forgets its scripts', async () => {
    const { redis, world } = await start();
    for (let n = 0; n < 10; n++) {
      await redis.command('SCRIPT', 'FLUSH');
      await world.more(5);
      world.drop();
    }
    expect(await world.finish()).toEqual(EXACT);
    expect(world.refusals).toEqual([]);
  });

  it('stay open while Redis has no memory left', async () => {
    const { redis, world } = await start();
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await world.refused(3);
    expect(world.refusals[0]).toMatchObject({
      code: 'SSE_LOG_UNAVAILABLE',
      message: expect.stringContaining('OOM'),
    });
    world.drop();
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('get later events when a replica takes over that lacks the last ones', async () => {
    const { redis, ways, world } = await start();
    const replica = await startRedis({ replicaOf: redis });
    await world.more(20);
    await world.pause();
    await world.arrived();
    await untilReplicated(redis);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    const known = world.published.length;
    world.publish();
    await world.more(20);
    await world.pause();
    for (const event of world.published.slice(known)) event.isLost = true;
    await redis.kill();
    for (const way of ways) way.target = replica.port;
    world.drop();
    world.publish();
    await world.more(50);
    expect(await world.finish()).toMatchObject({ ...EXACT, gaps: expect.anything() });
  });

  it('lose no accepted event in a fail-over with minReplicas', async () => {
    const redis = await startRedis();
    const replica = await startRedis({ replicaOf: redis });
    await untilReplicated(redis);
    const ways = await Promise.all([startProxy(redis.port), startProxy(redis.port)]);
    proxies.push(...ways);
    const world = await FlappingWorld.start(
      ways.map(({ port }) =>
        redisEventLog({
          url: `redis://127.0.0.1:${port}`,
          probeIntervalMs: 200,
          minReplicas: 1,
        }),
      ),
    );
    await world.more(30);
    replica.pause();
    await world.refused(1);
    expect(world.refusals[0]?.message).toContain('reached 0 of 1 replicas');
    const tried = world.published.at(-1)!;
    await redis.kill();
    tried.mayDouble = true;
    replica.resume();
    await replica.command('REPLICAOF', 'NO', 'ONE');
    await startRedis({ replicaOf: replica });
    for (const way of ways) way.target = replica.port;
    await world.more(50);
    expect(await world.finish()).toMatchObject({ ...EXACT, gaps: expect.anything() });
  });

  it('go on when the master becomes a replica, as soon as the way leads to the new one', async () => {
    const { redis, ways, world } = await start({ log: { durable: true } });
    const other = await startRedis({ replicaOf: redis });
    await world.pause();
    await untilReplicated(redis);
    await other.command('REPLICAOF', 'NO', 'ONE');
    await redis.command('REPLICAOF', '127.0.0.1', String(other.port));
    world.publish();
    await world.refused(2);
    expect(world.refusals[0]).toMatchObject({
      code: 'SSE_LOG_UNAVAILABLE',
      message: expect.stringContaining('READONLY'),
    });
    world.drop();
    for (const way of ways) way.target = other.port;
    await world.more(50);
    expect(await world.finish()).toEqual(EXACT);
  });

  it(
    'get each event over faults at random',
    async () => {
      const { redis, ways, world } = await start({
        persist: true,
        apps: 3,
        log: { durable: true },
      });
      const each = (what: (way: TcpProxy) => void): void => {
        for (const way of ways) if (world.random.below(2) === 0) what(way);
      };
      const faults: (() => unknown)[] = [
        () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
        () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal'),
        () => redis.command('SCRIPT', 'FLUSH'),
        () => each((way) => way.cut()),
        () => each((way) => subscriber(way).cut()),
        () => each((way) => subscriber(way).blackHole()),
        () => each((way) => publisher(way).cut()),
        () => each((way) => void (way.delayMs = world.random.below(20))),
        () => world.drop(),
        () => redis.restart(),
        () => {
          redis.pause();
          redis.resume();
        },
        // The others go on, so that something is published.
        () => ways[0]!.refuse(),
        () => each((way) => way.heal()),
      ];
      for (let n = 0; n < 20 * FAULT_RUNS; n++) {
        await world.random.pick(faults)();
        await world.more(world.random.below(10));
      }
      for (const way of ways) {
        way.heal();
        way.delayMs = 0;
      }
      expect(await world.finish()).toEqual(EXACT);
    },
    30_000 * FAULT_RUNS,
  );
});
