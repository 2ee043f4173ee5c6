// A process that reads very many rooms and has missed something: it comes to an end, with few
// questions, and says what it lost.
import { afterAll, afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { EventLog, Gap, LogFollower, NewEvent } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { encodeBody } from '../../lib/wire/frame.js';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';
import { inPieces } from '../../lib/testing/in-pieces.js';

jest.setTimeout(120_000);

const begun: (() => Promise<void>)[] = [];
beforeEach(() => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
});
afterEach(async () => {
  for (const end of begun.splice(0).reverse()) await end();
  jest.restoreAllMocks();
});
afterAll(stopAllRedis);

const HISTORY = { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 256 * 1_048_576 };
const ROOMS = Array.from({ length: 100_000 }, (_, n) => `room ${n}`);

const event = (room: string, data: unknown, more: Partial<NewEvent> = {}): NewEvent => {
  const message = { data };
  return { rooms: [room], message, body: encodeBody(message), ...more };
};

/** A process of which these rooms are read. */
async function follow(redis: RedisServer, rooms: readonly string[]) {
  const way = await startProxy(redis.port);
  const url = `redis://127.0.0.1:${way.port}`;
  const log = redisEventLog({ url })({ name: '', history: HISTORY, state: STATE_DEFAULTS });
  begun.push(() => log.close());
  begun.push(() => way.close());
  const events: unknown[] = [];
  const gaps: Gap[] = [];
  const follower: LogFollower = {
    event: ({ message }) => events.push(message.data),
    rooms: () => rooms,
    lost: (gap) => gaps.push(gap),
    caughtUp: () => {},
  };
  await log.follow(follower);
  return { way, log, events, gaps };
}

async function start() {
  const redis = await startRedis();
  begun.push(() => redis.stop());
  const publisher = redisEventLog({ url: redis.url })({
    name: '',
    history: HISTORY,
    state: STATE_DEFAULTS,
  });
  begun.push(() => publisher.close());
  await publisher.head();
  return { redis, publisher };
}

/** Its subscription is gone, and comes back when what is published meanwhile is there. */
async function miss(process: Awaited<ReturnType<typeof follow>>, meanwhile: () => Promise<void>) {
  const { way, log } = process;
  way.refuse();
  await until('it has noticed', () => log.trouble !== undefined);
  await meanwhile();
  way.heal();
}

const publishAll = (log: EventLog, events: readonly NewEvent[]): Promise<void> =>
  inPieces(events, (each) => log.append(each));

const scripts = async (redis: RedisServer): Promise<number> => {
  const stats = await redis.command('INFO', 'commandstats');
  const count = (name: string): number =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return count('evalsha') + count('eval');
};

describeRedis('a process that reads 100 000 rooms', () => {
  it.each([
    ['', 0],
    [' over a way of 25 ms', 25],
  ])('catches up after its connections were cut%s', async (_how, delayMs) => {
    const { redis, publisher } = await start();
    const process = await follow(redis, ROOMS);
    process.way.delayMs = delayMs;
    const missed = Array.from({ length: 2_000 }, (_, n) => event(`room ${n * 50}`, n));
    let before = 0;
    let began = 0;
    await miss(process, async () => {
      await publishAll(publisher, missed);
      before = await scripts(redis);
      began = performance.now();
    });
    await until('it has caught up', () => process.log.trouble === undefined, 100_000);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const asked = (await scripts(redis)) - before;
    console.log(`100 000 rooms, ${delayMs} ms one way: ${seconds} s, ${asked} scripts`);
    await publisher.append(event('room 7', 'later'));
    await until('what comes later arrives', () => process.events.includes('later'));
    // In the order of positions, which are in the order of the calls.
    expect(process.events).toEqual([...missed.map(({ message }) => message.data), 'later']);
    expect(process.gaps).toEqual([]);
    expect(asked).toBeLessThan(1_000);
  });

  it('publishes meanwhile', async () => {
    const { redis, publisher } = await start();
    const process = await follow(redis, ROOMS);
    await publishAll(
      publisher,
      ROOMS.slice(0, 3_000).map((room) => event(room, room)),
    );
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it has noticed', () => process.log.trouble !== undefined);
    let slowest = 0;
    let count = 0;
    while (process.log.trouble !== undefined) {
      const began = performance.now();
      await process.log.append(event(`room ${count++ % 1_000}`, 'meanwhile'));
      slowest = Math.max(slowest, performance.now() - began);
    }
    await publisher.append(event('room 1', 'last'));
    await until('all has arrived', () => process.events.includes('last'));
    expect(slowest).toBeLessThan(2_000);
    expect(process.gaps).toEqual([]);
  });
});

describeRedis('a process that has missed more than it may keep', () => {
  it('tells the rooms that do not fit as lost, and hands on the others', async () => {
    const { redis, publisher } = await start();
    const rooms = Array.from({ length: 60 }, (_, n) => `room ${n}`);
    const process = await follow(redis, rooms);
    await miss(process, async () => {
      const large = 'x'.repeat(400_000);
      await publishAll(
        publisher,
        rooms.map((room) => event(room, large)),
      );
    });
    await until('it has caught up', () => process.log.trouble === undefined, 60_000);
    await publisher.append(event('room 7', 'later'));
    await until('what comes later arrives', () => process.events.includes('later'));
    const lost = process.gaps.flatMap((gap) => gap.rooms);
    expect(process.gaps.map(({ reason }) => reason)).toEqual(['overflow']);
    expect(process.events.length - 1 + lost.length).toBe(60);
    expect(lost.length).toBeGreaterThan(10);
    expect(lost.length).toBeLessThan(30);
  });

  it('keeps no notices without bound while it reads', async () => {
    const { redis, publisher } = await start();
    const process = await follow(redis, ['busy', 'quiet']);
    const reading = process.way.connectionsWhere((sent) => /hgetall|\beval/i.test(sent));
    const large = 'x'.repeat(200_000);
    await publisher.append(event('busy', 'first'));
    await until('it has arrived', () => process.events.includes('first'));
    // What asks is held; what listens is not, and misses one.
    reading.blackHole();
    process.way.holdWhen = (sent) => /\beval/i.test(sent);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it listens again', async () =>
      (await redis.command('PUBSUB', 'NUMSUB', 'sse:{hub:}:events')).endsWith('1'),
    );
    // Three times what may wait.
    await publishAll(
      publisher,
      Array.from({ length: 240 }, () => event('busy', large)),
    );
    await publisher.append(event('quiet', 'quiet'));
    process.way.holdWhen = undefined;
    process.way.heal();
    await until('it has caught up', () => process.log.trouble === undefined, 60_000);
    await publisher.append(event('busy', 'later'));
    await until('what comes later arrives', () => process.events.includes('later'), 60_000);
    expect(process.events).toContain('quiet');
    const got = process.events.filter((data) => data === large).length;
    const lost = process.gaps.some(({ rooms }) => rooms.includes('busy'));
    expect(lost || got === 240).toBe(true);
  });
});
