// Clients of state rooms that drop and return all the time, over real sockets, while entries are
// set, deleted and end: at each halt every copy is what the server has, and nobody got a gap.
// STATE_FLAPPING_SEED=… repeats a run.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { Broadcaster, SseStream, type EventLogFactory } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { Random } from '../support/random.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { Copy } from '../support/state-copy.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

const SEED = Number(process.env['STATE_FLAPPING_SEED'] ?? Math.floor(Math.random() * 1e9));
const ROOMS = ['a', 'b', 'c'];
const HALTS = 4;
const CHANGES = 250;

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
}

class Client {
  readonly copy = new Copy();
  private stream: TestStream | undefined;
  private taken = 0;
  private cursor: string | undefined;

  constructor(
    readonly rooms: readonly string[],
    private readonly apps: readonly TestApp[],
    private readonly random: Random,
  ) {}

  open(): void {
    const app = this.random.pick(this.apps);
    const { cursor } = this;
    const path = `/rooms?rooms=${this.rooms.join()}`;
    this.stream = cursor
      ? app.open(path, { headers: { 'last-event-id': cursor } })
      : app.open(path);
    this.taken = 0;
  }

  read(): void {
    const { stream } = this;
    if (stream === undefined) return;
    for (const event of stream.events.slice(this.taken)) this.copy.take(event);
    this.taken = stream.events.length;
    this.cursor = stream.cursor ?? this.cursor;
  }

  drop(): void {
    this.read();
    this.stream?.close();
    this.copy.drop();
    this.stream = undefined;
  }
}

/** Resolves with the gaps that clients got. */
async function flap(logs: readonly (EventLogFactory | undefined)[]): Promise<unknown[]> {
  console.log(`STATE_FLAPPING_SEED=${SEED}`);
  const random = new Random(SEED);
  const options = { history: { maxEvents: 20 }, retry: 1, keepAlive: { intervalMs: 100 } };
  const apps = await Promise.all(logs.map((log) => serve(Streams, { sse: { ...options, log } })));
  const hubs = apps.map(({ nest }) => nest.get(Streams).hub);
  const clients = Array.from({ length: 8 }, (_, n) => {
    const rooms = n < 3 ? [ROOMS[n]!] : n < 6 ? ROOMS : ['a', 'c'];
    return new Client(rooms, apps, random);
  });
  for (const client of clients) client.open();

  for (let halt = 0; halt < HALTS; halt++) {
    for (let n = 0; n < CHANGES; n++) {
      const room = random.pick(hubs).state(random.pick(ROOMS));
      const key = `key ${random.below(30)}`;
      if (random.below(4) === 0) await room.delete(key);
      else if (random.below(8) === 0) await room.set(key, n, { ttlMs: 1 + random.below(40) });
      else await room.set(key, `${halt} ${n}`);
      if (random.below(4) > 0) continue;
      const client = random.pick(clients);
      client.drop();
      client.open();
    }
    // The last of each room, which says that all before it has come.
    for (const room of ROOMS) await random.pick(hubs).state(room).set('halt', halt);
    for (const [n, client] of clients.entries()) {
      for (const room of client.rooms) {
        await until(`client ${n} has ${room} of halt ${halt}, seed ${SEED}`, async () => {
          client.read();
          const { entries } = await hubs[0]!.state(room).entries();
          const server = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
          const has = client.copy.of(room);
          return (
            Object.keys(has).length === entries.length &&
            Object.entries(server).every(([key, value]) => has[key] === value)
          );
        });
      }
    }
  }
  for (const client of clients) client.drop();
  return clients.flatMap(({ copy }) => copy.gaps);
}

describe('clients of state rooms that drop all the time', () => {
  it('have what the server has, in memory', async () => {
    expect(await flap([undefined])).toEqual([]);
  }, 120_000);
});

describeRedis('clients of state rooms that change processes all the time', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('have what the server has, on Redis', async () => {
    const prefix = randomUUID();
    const log = redisEventLog({ url: redis.url, prefix });
    expect(await flap([log, log])).toEqual([]);
  }, 120_000);
});
