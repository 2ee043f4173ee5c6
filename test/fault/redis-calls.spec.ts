// Each call on its own, to the millisecond that the contract of a log allows.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { EventLog, Head, LogFollower, NewEvent } from 'nestjs-eventstream';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
  type RedisServerOptions,
} from '../support/redis-server.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until, untilReplicated } from '../support/until.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';

jest.setTimeout(30_000);

/** The contract says 2 s; the rest is for a busy machine. */
const LIMIT_MS = 3_000;

/** What a test has begun, the last first to end. */
const begun: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of begun.splice(0).reverse()) await end();
});

afterAll(stopAllRedis);

async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
  const redis = await startRedis(options);
  begun.push(() => redis.stop());
  return redis;
}

/** What a log hands on, a gap as its rooms, and a new log as that. */
class Heard implements LogFollower {
  readonly data: unknown[] = [];
  private epoch: string | undefined;
  event({ message }: Parameters<LogFollower['event']>[0]): void {
    this.data.push(message.data);
  }
  rooms(): string[] {
    return ['room'];
  }
  lost({ rooms }: Parameters<LogFollower['lost']>[0]): void {
    this.data.push(rooms);
  }
  caughtUp({ epoch }: Head): void {
    if (this.epoch !== undefined && this.epoch !== epoch) this.data.push('another log');
    this.epoch = epoch;
  }
}

async function open(
  redis: RedisServer,
  options: Omit<RedisEventLogOptions, 'url' | 'client'> = {},
) {
  const way = await startProxy(redis.port);
  begun.push(() => way.close());
  const url = `redis://127.0.0.1:${way.port}`;
  const history = { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 };
  const log = redisEventLog({ url, probeIntervalMs: 200, ...options })({
    name: '',
    history,
    state: STATE_DEFAULTS,
  });
  begun.push(() => log.close());
  const heard = new Heard();
  heard.caughtUp(await log.follow(heard));
  return { way, log, heard };
}

const event = (data: number, more: Partial<NewEvent> = {}): NewEvent => ({
  rooms: ['room'],
  message: { data },
  body: `data: ${data}\n`,
  ...more,
});

const CHANNEL = 'sse:{hub:}:events';
const UNAVAILABLE = { code: 'SSE_LOG_UNAVAILABLE' };

/** How long it took to be refused. */
async function refused(call: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await expect(call).rejects.toMatchObject(UNAVAILABLE);
  return performance.now() - began;
}

/** As a program does that must not lose it. */
async function accepted(log: EventLog, what: NewEvent): Promise<void> {
  await until('it is accepted', () => log.append(what).catch(() => undefined));
}

const ALL = { after: 0, maxEvents: 100, maxBytes: 1e6 };

// It takes its time: the other tests run meanwhile.
describeRedis('the log on Redis, call by call', () => {
  let arrived: Promise<unknown[]>;
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const { way, log, heard } = await open(await start(), { probeIntervalMs: 4_000 });
    ends.push(...begun.splice(0).reverse());
    way.connectionsWhere((sent) => /\bsubscribe\b/i.test(sent)).blackHole();
    await log.append(event(1));
    arrived = until('the event has arrived', () => heard.data.length > 0, 25_000)
      .then(() => until('all is well', () => log.trouble === undefined))
      .then(() => heard.data);
    arrived.catch(() => {});
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  describe('a call to the log on Redis', () => {
    it('is refused after 2 s where nothing passes', async () => {
      const { way, log } = await open(await start());
      way.blackHole();
      expect(await refused(log.append(event(1)))).toBeLessThan(LIMIT_MS);
      // Now there is no connection at all.
      expect(await refused(log.append(event(2)))).toBeLessThan(LIMIT_MS);
      expect(await refused(log.head())).toBeLessThan(LIMIT_MS);
    });

    it('is refused after 2 s where a part of them went by until there was a connection', async () => {
      const { way, log } = await open(await start());
      way.delayMs = 400;
      way.holdWhen = (sent) => /\beval/i.test(sent);
      way.cut();
      await until('it has noticed', () => log.trouble !== undefined);
      expect(await refused(log.append(event(1)))).toBeLessThan(LIMIT_MS);
    });

    it('is refused after 2 s where the replicas are slow, too', async () => {
      const redis = await start();
      await start({ replicaOf: redis });
      await untilReplicated(redis);
      const { way, log } = await open(redis, { minReplicas: 1 });
      way.delayMs = 700;
      way.holdWhen = (sent) => sent.includes('$4\r\nWAIT\r\n');
      expect(await refused(log.append(event(1)))).toBeLessThan(LIMIT_MS);
    });

    it('is refused after 2 s also among many, which wait for each other', async () => {
      const { way, log } = await open(await start());
      const disconnect = jest.spyOn(Redis.prototype, 'disconnect');
      way.blackHole();
      const all = Array.from({ length: 300 }, (_, n) => refused(log.read([`room ${n}`], ALL)));
      expect(Math.max(...(await Promise.all(all)))).toBeLessThan(LIMIT_MS);
      // Not for each of them: each time adds a listener to the socket that is to end.
      const again = disconnect.mock.calls.filter(([reconnect]) => reconnect === true);
      disconnect.mockRestore();
      expect(again).toHaveLength(1);
    });

    it('that was refused and still kept is not doubled by a second try with its key', async () => {
      const redis = await start();
      const { log, heard } = await open(redis);
      redis.pause();
      await refused(log.append(event(1, { key: 'one' })));
      redis.resume();
      const { position } = await log.append(event(1, { key: 'one' }));
      await log.append(event(2));
      await until('all has arrived', () => heard.data.includes(2));
      expect(heard.data).toEqual([1, 2]);
      const { rooms } = await log.read(['room'], ALL);
      const kept = rooms[0]?.entries ?? [];
      expect(kept.map(({ event: { message } }) => message.data)).toEqual([1, 2]);
      expect(kept[0]?.event.position).toBe(position);
    });

    it('that appends runs in the order of the calls, whatever scripts the server knows', async () => {
      const redis = await start();
      const { log, heard } = await open(redis);
      const set = (data: number): NewEvent =>
        event(data, { entry: { key: String(data), kind: 'set' } });
      const appends: Promise<unknown>[] = [log.append(event(0)), log.append(set(1))];
      const add = (next: number): void => {
        appends.push(log.append(next % 3 === 0 ? set(next) : event(next)));
      };
      for (let next = 2; next < 1_000; next++) {
        add(next);
        // So that answers come between the calls.
        if (next % 2 === 0) await new Promise(setImmediate);
        if (next % 10 === 0) void redis.command('SCRIPT', 'FLUSH');
      }
      await Promise.all(appends);
      await until('all has arrived', () => heard.data.length === 1_000);
      expect(heard.data).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    });

    it('with a key that is ephemeral is not doubled either, after Redis had no memory for the key', async () => {
      const redis = await start();
      const { log, heard } = await open(redis);
      await log.append(event(1));
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      await refused(log.append(event(2, { key: 'two', ephemeral: true })));
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await log.append(event(2, { key: 'two', ephemeral: true }));
      await log.append(event(3));
      await until('all has arrived', () => heard.data.includes(3));
      expect(heard.data).toEqual([1, 2, 3]);
    });
  });

  describe('a log on Redis that hears nothing', () => {
    it('says so, and hears again when it may subscribe again', async () => {
      const redis = await start();
      const { log, heard } = await open(redis);
      await redis.command('ACL', 'SETUSER', 'default', '-subscribe');
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('it says so', () => log.trouble !== undefined);
      await until('a subscription is refused', async () =>
        (await redis.command('INFO', 'errorstats')).includes('errorstat_NOPERM'),
      );
      await log.append(event(1));
      await redis.command('ACL', 'SETUSER', 'default', '+subscribe');
      await until('it hears again', () => log.trouble === undefined);
      await log.append(event(2));
      await until('all has arrived', () => heard.data.includes(2));
      expect(heard.data).toEqual([1, 2]);
    });

    it('takes a master that went on by itself for another log', async () => {
      const redis = await start();
      const replica = await start({ replicaOf: redis });
      const first = await open(redis);
      const second = await open(redis);
      const move = async ({ way }: typeof first): Promise<void> => {
        const listeners = (): Promise<string> => replica.command('PUBSUB', 'NUMSUB', CHANNEL);
        const before = await listeners();
        way.target = replica.port;
        way.cut();
        await until('it listens there', async () => before !== (await listeners()));
      };
      await first.log.append(event(1));
      await until('it has arrived', () => [first, second].every(({ heard }) => heard.data.length));
      await untilReplicated(redis);
      // A network that is split: one half has the old master, the other the new one.
      await replica.command('REPLICAOF', 'NO', 'ONE');
      await move(second);
      // What is published before it knows of the other log is told as lost with all of the old one.
      await until('it has looked', () => second.heard.data.includes('another log'));
      await accepted(second.log, event(2, { key: 'two' }));
      await first.log.append(event(3));
      await until('it has arrived', () => first.heard.data.includes(3));
      await redis.command('REPLICAOF', '127.0.0.1', String(replica.port));
      await move(first);
      await until('it has caught up', () => first.heard.data.includes('another log'));
      await accepted(second.log, event(4, { key: 'four' }));
      await until('it has arrived', () =>
        [first, second].every(({ heard }) => heard.data.includes(4)),
      );
      expect(first.heard.data).toEqual([1, 3, 'another log', 4]);
      expect(second.heard.data).toEqual([1, 'another log', 2, 4]);
    });
  });

  it('mends a subscription that is dead and does not say so within 25 s, with the default interval', async () => {
    expect(await arrived).toEqual([1]);
  });
});
