import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Broadcaster, InjectBroadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import { eventLogContract } from 'nestjs-eventstream/testing';
import { EXACT, FAULT_SEED, FlappingWorld } from '../support/flapping.js';
import {
  describeRedis,
  moveSlot,
  startRedis,
  startRedisCluster,
  stopAllRedis,
  type RedisCluster,
  type RedisServer,
} from '../support/redis-server.js';
import { serve } from '../support/serve.js';
import { until } from '../support/until.js';

jest.setTimeout(40_000);

const ca = readFileSync(new URL('../support/tls/cert.pem', import.meta.url));
const clients: (Redis | Cluster)[] = [];

beforeAll(() => console.log(`FAULT_SEED=${FAULT_SEED}`));

afterEach(() => {
  for (const made of clients.splice(0)) made.disconnect();
});

afterAll(stopAllRedis);

const toNodes = ({ nodes }: RedisCluster) => nodes.map(({ port }) => ({ host: '127.0.0.1', port }));

/** As an app has one for its own use. */
function client<T extends Redis | Cluster>(made: T): T {
  made.on('error', () => {});
  clients.push(made);
  return made;
}

const lines = async (server: RedisServer, ...command: string[]): Promise<string[]> =>
  (await server.command(...command)).split('\n').filter((line) => line !== '');

const slotOf = async (cluster: RedisCluster, hub: string): Promise<number> =>
  Number(await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', `{hub:${hub}}`));

/** Where the slots of three nodes begin. */
const ownerOf = (slot: number): number => Math.floor((slot * 3) / 16_384);

@Controller()
class TwoHubs {
  constructor(
    readonly hub: Broadcaster,
    @InjectBroadcaster('orders') readonly orders: Broadcaster,
  ) {}
  @SseStream('main') main() {
    return this.hub.stream('room');
  }
  @SseStream('orders') ordered(@Query('room') room = 'room') {
    return this.orders.stream(room);
  }
}

describeRedis('a log on a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });

  const log = (prefix: string, more: RedisEventLogOptions = {}) =>
    redisEventLog({
      client: client(new Cluster(toNodes(cluster))),
      prefix,
      probeIntervalMs: 200,
      ...more,
    });

  const ofEntries = eventLogContract((history, state) =>
    log(randomUUID())({ name: '', history, state }),
  ).filter(([title]) => /entr/.test(title));
  it.each(ofEntries)('%s', (_title, run) => run());

  it('gives each event to clients that go from app to app', async () => {
    const world = await FlappingWorld.start([log('flap'), log('flap')]);
    await world.more(150);
    expect(await world.finish()).toEqual(EXACT);
    expect(world.refusals).toEqual([]);
  });

  it('notifies by sharded Pub/Sub, each hub on the node of its slot', async () => {
    const features = [{ name: 'orders' }];
    const options = { module: { imports: [SseModule.forFeature(features)] } };
    const apps = await Promise.all(
      [1, 2].map(() => serve(TwoHubs, { ...options, sse: { log: log('two') } })),
    );
    const [main, orders] = [await slotOf(cluster, ''), await slotOf(cluster, 'orders')];
    expect(main).not.toBe(orders);
    for (const [slot, channel] of [
      [main, 'two:{hub:}:events'],
      [orders, 'two:{hub:orders}:events'],
    ] as const) {
      for (const [n, node] of cluster.nodes.entries()) {
        expect(await lines(node, 'PUBSUB', 'SHARDNUMSUB', channel)).toEqual([
          channel,
          n === ownerOf(slot) ? '2' : '0',
        ]);
        expect(await lines(node, 'PUBSUB', 'CHANNELS', 'two:*')).toEqual([]);
      }
    }
    const { hub, orders: ordered } = apps[0]!.nest.get(TwoHubs);
    const streams = apps.map((app) => [app.open('/main'), app.open('/orders')] as const);
    await Promise.all(
      streams.flat().map((stream) => stream.until(({ text }) => /^id: /m.test(text))),
    );
    await hub.to('room').emit('n', 1);
    await ordered.to('room').emit('n', 2);
    for (const [ofHub, ofOrders] of streams) {
      expect((await ofHub.next()).data).toBe(1);
      expect((await ofOrders.next()).data).toBe(2);
    }
  });

  // feature: 54
  it('takes the command of other languages, each hub on the node of its slot', async () => {
    const module = { imports: [SseModule.forFeature([{ name: 'orders' }])] };
    const app = await serve(TwoHubs, { module, sse: { log: log('command') } });
    const other = client(new Cluster(toNodes(cluster)));
    for (const [path, hub] of [
      ['/main', ''],
      ['/orders', 'orders'],
    ] as const) {
      const stream = app.open(path);
      await stream.until(({ text }) => /^id: /m.test(text));
      const key = `command:{hub:${hub}}:publish:1`;
      const text = (await other.get(key)) ?? '';
      const rooms = ['room', 'room', 'room', 'another', 'room', 'third'];
      const id = await other.eval(text, 1, key, ...rooms, 'type', 'n', 'data', '7', 'key', 'k');
      expect(await stream.next()).toMatchObject({ type: 'n', data: 7, id });
    }
  });

  it('loses nothing when its slot moves to another node, again and again', async () => {
    const durable = { durable: true };
    const world = await FlappingWorld.start([log('move', durable), log('move', durable)]);
    const slot = await slotOf(cluster, '');
    const home = ownerOf(slot);
    for (const to of [(home + 1) % 3, (home + 2) % 3, home]) {
      await moveSlot(cluster, slot, to);
      await world.more(20);
      await world.arrived();
      const channels = await lines(cluster.nodes[to]!, 'PUBSUB', 'SHARDCHANNELS', 'move:*');
      expect(channels).toEqual(['move:{hub:}:events']);
    }
    expect(await world.finish()).toEqual(EXACT);
  });

  it('loses nothing when connections to all nodes are cut', async () => {
    const world = await FlappingWorld.start([log('cut'), log('cut')]);
    for (let n = 0; n < 5; n++) {
      for (const node of cluster.nodes) {
        await node.command('CLIENT', 'KILL', 'TYPE', n % 2 === 0 ? 'pubsub' : 'normal');
      }
      await world.more(10);
    }
    await world.arrived();
    expect(await world.finish()).toEqual(EXACT);
  });

  it('goes on after the node of its slot hung', async () => {
    const world = await FlappingWorld.start([log('hang'), log('hang')]);
    const owner = cluster.nodes[ownerOf(await slotOf(cluster, ''))]!;
    owner.pause();
    await world.refused(2);
    owner.resume();
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('is refused within 2 s whatever limits the app has for its own commands', async () => {
    const app = client(
      new Cluster(toNodes(cluster), {
        redisOptions: { maxRetriesPerRequest: null, commandTimeout: 60_000 },
      }),
    );
    const world = await FlappingWorld.start([
      redisEventLog({ client: app, prefix: 'own', probeIntervalMs: 200 }),
    ]);
    const owner = cluster.nodes[ownerOf(await slotOf(cluster, ''))]!;
    owner.pause();
    await world.refused(2);
    owner.resume();
    await world.more(20);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('works with keyPrefix', async () => {
    const app = client(new Cluster(toNodes(cluster), { redisOptions: { keyPrefix: 'app:' } }));
    const world = await FlappingWorld.start([redisEventLog({ client: app, prefix: 'sse' })]);
    await world.arrived();
    expect(await world.finish()).toEqual(EXACT);
    const owner = cluster.nodes[ownerOf(await slotOf(cluster, ''))]!;
    expect(await lines(owner, 'KEYS', '*:meta')).toContain('app:sse:{hub:}:meta');
  });
});

describeRedis('a log on Redis', () => {
  it('works with TLS and a password, also after the connections were cut', async () => {
    const redis = await startRedis({ tls: true, password: 'p@ss: wörd' });
    const { port, password } = redis;
    const log = () =>
      redisEventLog({
        client: client(new Redis({ host: '127.0.0.1', port, password: password!, tls: { ca } })),
        probeIntervalMs: 200,
      });
    const world = await FlappingWorld.start([log(), log()]);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await world.more(30);
    expect(await world.finish()).toEqual(EXACT);
  });

  it('works with keyPrefix, and beside a log without', async () => {
    const redis = await startRedis();
    const app = client(new Redis(redis.url, { keyPrefix: 'app:' }));
    const world = await FlappingWorld.start([
      redisEventLog({ client: app }),
      redisEventLog({ url: redis.url, prefix: 'app:sse' }),
    ]);
    await world.more(20);
    await until('both listen', async () =>
      (await redis.command('PUBSUB', 'NUMSUB', 'app:sse:{hub:}:events')).endsWith('2'),
    );
    expect(await world.finish()).toEqual(EXACT);
    expect(await lines(redis, 'KEYS', 'sse:*')).toEqual([]);
  });
});
