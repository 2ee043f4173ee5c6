import { afterAll, afterEach, expect, it } from '@jest/globals';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { readFileSync } from 'node:fs';
import {
  describeRedis,
  moveSlot,
  startRedis,
  startRedisCluster,
  stopAllRedis,
} from '../support/redis-server.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';

const ca = readFileSync(new URL('../support/tls/cert.pem', import.meta.url));

const clients: (Redis | Cluster)[] = [];
const proxies: TcpProxy[] = [];

function connect(target: string | number, options: RedisOptions = {}): Redis {
  const url = typeof target === 'number' ? `redis://127.0.0.1:${target}` : target;
  // ioredis waits 2 s for the end of a connection, also of one that has ended: Jest would, too.
  const client = new Redis(url, { retryStrategy: () => 5, disconnectTimeout: 20, ...options });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

/** The event's arguments. Unlike `once` of Node it takes no notice of errors on the way to it. */
const heard = (client: Redis, event: string): Promise<unknown[]> =>
  new Promise((resolve) => client.once(event, (...args: unknown[]) => resolve(args)));

async function throughProxy() {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  proxies.push(proxy);
  return { redis, proxy };
}

/** Only while it is silent: its handshake has all the time that a busy machine needs. */
async function expectSilence(client: Redis): Promise<void> {
  client.options.commandTimeout = 20;
  await expect(client.ping()).rejects.toThrow('timed out');
  client.options.commandTimeout = undefined;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  await stopAllRedis();
});

afterAll(stopAllRedis);

describeRedis('a Redis of a fault test', () => {
  it('keeps what was acknowledged over a kill, until it is restarted empty', async () => {
    const redis = await startRedis({ persist: true });
    const client = connect(redis.url);
    await client.set('kept', 'yes');
    const { pid } = redis;
    const closed = heard(client, 'close');
    await redis.kill();
    await closed;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await redis.restart();
    expect(redis.pid).not.toBe(pid);
    expect(await client.get('kept')).toBe('yes');
    await redis.restart({ empty: true, args: ['--maxmemory', '123456789'] });
    expect(await client.get('kept')).toBeNull();
    expect(await client.config('GET', 'maxmemory')).toContain('123456789');
  });

  it('forgets over a restart what it was not asked to keep', async () => {
    const redis = await startRedis();
    await redis.command('SET', 'lost', 'two words, ä');
    expect(await redis.command('GET', 'lost')).toBe('two words, ä');
    await redis.kill('SIGTERM');
    await redis.restart();
    expect(await redis.command('GET', 'lost')).toBe('');
  });

  it('says why it did not start', async () => {
    const redis = await startRedis();
    await expect(startRedis({ args: ['--no-such-option', '1'] })).rejects.toThrow('no-such-option');
    await expect(startRedis({ port: redis.port })).rejects.toThrow('Address already in use');
  });

  it('rejects a command with its own words, and joins the items of an array', async () => {
    const redis = await startRedis();
    await redis.command('RPUSH', 'list', 'a', 'b');
    expect(await redis.command('LRANGE', 'list', '0', '-1')).toBe('a\nb');
    await expect(redis.command('GET', 'list')).rejects.toThrow('WRONGTYPE');
    await redis.stop();
    await redis.stop();
    await expect(redis.command('PING')).rejects.toThrow('ECONNREFUSED');
    await expect(redis.restart()).rejects.toThrow('stopped for good');
  });

  it('does not answer while it is paused', async () => {
    const redis = await startRedis();
    const client = connect(redis.url);
    await client.ping();
    redis.pause();
    await expectSilence(client);
    redis.resume();
    expect(await redis.command('PING')).toBe('PONG');
    expect(client.status).toBe('ready');
    redis.pause();
  });

  it('has replicas, which outlive it', async () => {
    const primary = await startRedis({ password: 'secret' });
    const replica = await startRedis({ replicaOf: primary });
    const client = connect(primary.url);
    await client.set('key', 'value');
    expect(await client.wait(1, 5_000)).toBe(1);
    await primary.kill();
    expect(await connect(replica.url).get('key')).toBe('value');
    await expect(replica.command('SET', 'key', 'other')).rejects.toThrow('READONLY');
  });

  it('asks for a password', async () => {
    const redis = await startRedis({ password: 'p@ss: wörd' });
    expect(await connect(redis.url).ping()).toBe('PONG');
    expect(await redis.command('PING')).toBe('PONG');
    await expect(connect(redis.port).get('key')).rejects.toThrow('NOAUTH');
  });

  it('speaks TLS, also with a replica', async () => {
    const primary = await startRedis({ tls: true });
    await connect(primary.url, { tls: { ca } }).set('key', 'value');
    const replica = await startRedis({ tls: true, replicaOf: primary });
    expect(await connect(replica.url, { tls: { ca } }).get('key')).toBe('value');
    expect(await replica.command('GET', 'key')).toBe('value');
    await expect(connect(primary.port, { maxRetriesPerRequest: 0 }).ping()).rejects.toThrow(
      'max retries',
    );
  });

  it('is a cluster, whose slots move with their keys', async () => {
    const cluster = await startRedisCluster();
    const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
    clients.push(client);
    const keys = Array.from({ length: 250 }, (_, n) => `{a}${n}`);
    for (const key of keys) await client.set(key, `value of ${key}`);
    const slot = Number(await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', '{a}'));
    const count = (node: number): Promise<string> =>
      cluster.nodes[node]!.command('CLUSTER', 'COUNTKEYSINSLOT', String(slot));
    expect(await count(2)).toBe('250');
    for (const to of [0, 0, 1]) {
      await moveSlot(cluster, slot, to);
      expect(await count(to)).toBe('250');
      expect(await client.get('{a}7')).toBe('value of {a}7');
    }
    expect(await count(2)).toBe('0');
    await expect(cluster.nodes[2]!.command('GET', '{a}7')).rejects.toThrow(
      `MOVED ${slot} 127.0.0.1:${cluster.nodes[1]!.port}`,
    );
  }, 20_000);
});

describeRedis('a proxy of a fault test', () => {
  it('delays both directions, and keeps the order', async () => {
    const { proxy } = await throughProxy();
    const client = connect(proxy.port);
    await client.ping();
    proxy.delayMs = 30;
    const started = performance.now();
    const slow = client.echo('first');
    const onItsWay = proxy.connectionsWhere((sent) => sent.includes('first'));
    while (onItsWay.count === 0) await new Promise(setImmediate);
    proxy.delayMs = 0;
    const quick = client.echo('second');
    expect(await Promise.race([slow, quick])).toBe('first');
    expect(performance.now() - started).toBeGreaterThanOrEqual(30);
    proxy.delayMs = 30;
    const sent = performance.now();
    expect(await client.echo('third')).toBe('third');
    expect(performance.now() - sent).toBeGreaterThanOrEqual(60);
    expect(await quick).toBe('second');
  });

  it('cuts what is connected, all of it or those who sent something', async () => {
    const { redis, proxy } = await throughProxy();
    const client = connect(proxy.port);
    const subscriber = connect(proxy.port);
    await Promise.all([client.ping(), subscriber.subscribe('news')]);
    expect(proxy.connections).toBe(2);
    const closes: string[] = [];
    client.on('close', () => closes.push('client'));
    subscriber.on('close', () => closes.push('subscriber'));

    const subscribers = proxy.connectionsWhere((sent) => /subscribe/i.test(sent));
    expect(subscribers.count).toBe(1);
    const again = heard(subscriber, 'ready');
    subscribers.cut();
    await again;
    expect(closes).toEqual(['subscriber']);
    const message = heard(subscriber, 'message');
    while ((await client.publish('news', 'hello')) === 0);
    expect(await message).toEqual(['news', 'hello']);

    const both = [heard(client, 'ready'), heard(subscriber, 'ready')];
    proxy.cut();
    await Promise.all(both);
    expect(closes.sort()).toEqual(['client', 'subscriber', 'subscriber']);

    const gone = [heard(client, 'close'), heard(subscriber, 'close')];
    await redis.kill();
    await Promise.all(gone);
  });

  it('refuses until it is healed', async () => {
    const { proxy } = await throughProxy();
    const client = connect(proxy.port);
    await client.ping();
    const closed = heard(client, 'close');
    proxy.refuse();
    await closed;
    await heard(client, 'close');
    expect(proxy.connections).toBe(0);
    const ready = heard(client, 'ready');
    proxy.heal();
    await ready;
    expect(await client.ping()).toBe('PONG');
  });

  it('is a black hole until it is healed', async () => {
    const { redis, proxy } = await throughProxy();
    const client = connect(proxy.port);
    await client.ping();
    proxy.blackHole();
    await expectSilence(client);
    const late = connect(proxy.port);
    await heard(late, 'connect');
    await redis.restart();
    expect(client.status).toBe('ready');
    expect(proxy.connections).toBe(2);
    const back = [heard(client, 'ready'), heard(late, 'ready')];
    proxy.heal();
    await Promise.all(back);
    expect(await Promise.all([client.ping(), late.ping()])).toEqual(['PONG', 'PONG']);
  });

  it('is a black hole for some, who get through when they come again', async () => {
    const { redis, proxy } = await throughProxy();
    const client = connect(proxy.port);
    const subscriber = connect(proxy.port);
    await Promise.all([client.ping(), subscriber.subscribe('news')]);
    proxy.connectionsWhere((sent) => sent.includes('news')).blackHole();
    expect(await client.publish('news', 'lost')).toBe(1);
    await expectSilence(subscriber);
    const again = heard(subscriber, 'ready');
    subscriber.disconnect(true);
    await again;
    // Redis was not told that the old one has left.
    await subscriber.subscribe('more');
    expect(await redis.command('PUBSUB', 'NUMSUB', 'news')).toBe('news\n2');
  });
});
