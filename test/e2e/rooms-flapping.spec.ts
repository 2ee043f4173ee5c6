// Clients that change their rooms at random, drop and return to another process all the time, over
// real sockets and a real Redis: nothing is lost, doubled or out of order, and nothing comes of a
// room that was left or has not been joined. ROOMS_FLAPPING_SEED=… repeats the draws of a run.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Post, Query } from '@nestjs/common';
import { Broadcaster, SseStream, type EventLogFactory, type RoomsChange } from 'nestjs-eventstream';
import { connect, type EventStream } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { Random } from '../support/random.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

const SEED = Number(process.env['ROOMS_FLAPPING_SEED'] ?? Math.floor(Math.random() * 1e9));
const ROOMS = ['a', 'b', 'c', 'd'];
const EVENTS = 400;
const CHANGES = 120;
const EXACT = { missing: [], wrong: [], foreign: [], refused: [] };

interface Events {
  n: { uid: number; room: string };
}

@Controller('events')
class App {
  constructor(readonly hub: Broadcaster<Events>) {}
  @SseStream() events(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { changeable: true });
  }
  @Post() change(@Body() change: RoomsChange) {
    return this.hub.changeRooms(change);
  }
}

/**
 * Events of a room from here to there are owed: the client had joined, and had not begun to leave.
 */
interface Owed {
  readonly room: string;
  readonly from: number;
  to: number;
}

class Client {
  readonly stream: EventStream<Events>;
  readonly got: Events['n'][] = [];
  readonly foreign: string[] = [];
  readonly refused: unknown[] = [];
  readonly owed: Owed[];
  drops = 0;
  changes = 0;
  private readonly open: Set<AbortController> = new Set();
  /** Rooms that the client has left, as it was told after the answer. */
  private readonly gone = new Set<string>();
  private readonly leaving = new Set<string>();

  constructor(
    readonly name: string,
    apps: readonly TestApp[],
    private readonly random: Random,
    /** As a plain `EventSource`, which keeps nothing but the last event ID. */
    isPlain: boolean,
    /** How many events were published, or are being published. */
    private readonly published: () => number,
  ) {
    const first = random.pick(ROOMS);
    this.owed = [{ room: first, from: Infinity, to: Infinity }];
    this.stream = connect<Events>(`${apps[0]!.url}/events?rooms=${first}`, {
      maxBackoffMs: 20,
      ...(isPlain ? { headers: { accept: 'text/event-stream' } } : {}),
      fetch: (url, init) => {
        const { port } = random.pick(apps);
        const to = new URL(String(url));
        to.port = String(port);
        if (init.method === 'POST') return fetch(to, init);
        const abortion = new AbortController();
        this.open.add(abortion);
        return fetch(to, { ...init, signal: AbortSignal.any([abortion.signal, init.signal!]) });
      },
    });
    this.stream.on('n', ({ data }) => {
      this.got.push(data);
      if (this.gone.has(data.room)) this.foreign.push(`${data.uid} of ${data.room}`);
    });
    for (const type of ['sse-open', 'sse-rooms'] as const) {
      this.stream.on(type, ({ data: { rooms } }) => {
        for (const room of this.leaving) if (!rooms.includes(room)) this.gone.add(room);
      });
    }
  }

  /** The first room is owed once the server has told that the stream is open. */
  async begin(): Promise<void> {
    await until(`${this.name} is open`, () => this.stream.rooms.length > 0);
    this.owed[0] = { ...this.owed[0]!, from: this.published() };
  }

  drop(): void {
    this.drops++;
    for (const abortion of this.open) abortion.abort();
    this.open.clear();
  }

  async change(): Promise<void> {
    const room = this.random.pick(ROOMS);
    const owed = this.owed.find((one) => one.room === room && one.to === Infinity);
    this.changes++;
    if (owed === undefined) {
      this.leaving.delete(room);
      this.gone.delete(room);
      await this.stream.join(room).then(
        () => this.owed.push({ room, from: this.published(), to: Infinity }),
        (error: unknown) => this.refused.push(error),
      );
      return;
    }
    // A room that leaves owes nothing of what is still under way.
    owed.to = 1 + Math.max(-1, ...this.got.map((event) => (event.room === room ? event.uid : -1)));
    const left = await this.stream.leave(room).catch((error: unknown) => this.refused.push(error));
    if (Array.isArray(left)) this.leaving.add(room);
  }

  missing(published: readonly string[]): number[] {
    const got = new Set(this.got.map(({ uid }) => uid));
    return this.owed.flatMap(({ room, from, to }) =>
      published.flatMap((of, uid) =>
        of === room && uid >= from && uid < to && !got.has(uid) ? uid : [],
      ),
    );
  }

  /** Events that came twice, or after a later one of their room. */
  get wrong(): string[] {
    const last = new Map<string, number>();
    return this.got.flatMap(({ uid, room }) => {
      const before = last.get(room) ?? -1;
      last.set(room, Math.max(before, uid));
      return uid > before ? [] : [`${uid} of ${room} after ${before}`];
    });
  }
}

async function flap(logs: readonly (EventLogFactory | undefined)[]) {
  console.log(`ROOMS_FLAPPING_SEED=${SEED}`);
  const random = new Random(SEED);
  const sse = { retry: 1, keepAlive: { intervalMs: 50 }, history: { maxEvents: 10_000 } };
  const apps = await Promise.all(logs.map((log) => serve(App, { sse: { ...sse, log } })));
  const hubs = apps.map(({ nest }) => nest.get(App).hub);
  const published: string[] = [];
  const clients = Array.from(
    { length: 8 },
    (_, n) => new Client(`client ${n}`, apps, random, n % 2 === 0, () => published.length),
  );
  await Promise.all(clients.map((client) => client.begin()));
  const over = new AbortController();
  const changing = clients.map(async (client) => {
    while (!over.signal.aborted) await client.change();
  });
  const changes = (): number => clients.reduce((sum, client) => sum + client.changes, 0);
  for (let uid = 0; uid < EVENTS || changes() < CHANGES; uid++) {
    const room = random.pick(ROOMS);
    published.push(room);
    await random.pick(hubs).to(room).emit('n', { uid, room });
    if (random.below(6) === 0) random.pick(clients).drop();
    await new Promise(setImmediate);
  }
  over.abort();
  await Promise.all(changing);
  const all = (): number[][] => clients.map((client) => client.missing(published));
  await until('all that is owed has come', () => all().flat().length === 0, 10_000).catch(() => {});
  const findings = {
    missing: all(),
    wrong: clients.flatMap((client) => client.wrong),
    foreign: clients.flatMap(({ foreign }) => foreign),
    refused: clients.flatMap(({ refused }) => refused),
  };
  for (const { stream } of clients) stream.close();
  expect(clients.reduce((sum, { drops }) => sum + drops, 0)).toBeGreaterThan(50);
  return { ...findings, missing: findings.missing.flat() };
}

describe('clients that change their rooms and drop all the time', () => {
  it('get what they are owed, in memory', async () => {
    expect(await flap([undefined])).toEqual(EXACT);
  }, 60_000);
});

describeRedis('clients that change their rooms and processes all the time', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('get what they are owed, on Redis', async () => {
    const log = redisEventLog({ url: redis.url, prefix: randomUUID() });
    expect(await flap([log, log])).toEqual(EXACT);
  }, 60_000);
});
