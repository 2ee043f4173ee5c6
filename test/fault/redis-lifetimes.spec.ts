// A store that goes back in time: it comes back from a snapshot, or a replica takes over that lacks
// the newest events. Each client that is owed one of them gets it, or is told of a gap before
// anything later.
import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Logger } from '@nestjs/common';
import { Broadcaster, SseStream, type Gap } from 'nestjs-eventstream';
import { redisEventLog, type RedisEventLogOptions } from 'nestjs-eventstream/redis';
import {
  describeRedis,
  startRedis,
  stopAllRedis,
  type RedisServer,
} from '../support/redis-server.js';
import type { EventLog, RoomsRead } from '../../lib/log/event-log.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';
import { hubOf } from '../../lib/hub/hub.js';
import { serve, type TestApp } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until, untilReplicated } from '../support/until.js';

jest.setTimeout(40_000);

const proxies: TcpProxy[] = [];

afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  await stopAllRedis();
  jest.restoreAllMocks();
});
afterAll(stopAllRedis);

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('room') room() {
    return this.hub.stream('room');
  }
}

type Options = Omit<RedisEventLogOptions, 'url' | 'client'>;

const startApp = (way: TcpProxy, options: Options = {}): Promise<TestApp> => {
  const url = `redis://127.0.0.1:${way.port}`;
  return serve(Streams, {
    sse: { log: redisEventLog({ url, probeIntervalMs: 200, ...options }), retry: 1 },
  });
};

const logOn = (way: TcpProxy): EventLog =>
  redisEventLog({ url: `redis://127.0.0.1:${way.port}` })({
    name: '',
    history: { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 },
    state: STATE_DEFAULTS,
  });

/** Resolves with its id when it is accepted. */
async function emit(app: TestApp, data: number): Promise<string> {
  const { hub } = app.nest.get(Streams);
  let id: string | undefined;
  await until('it is accepted', async () => {
    id = await hub
      .to('room')
      .emit('n', data, { key: String(data) })
      .catch(() => undefined);
    return id !== undefined;
  });
  return id ?? '';
}

const open = (app: TestApp, lastEventId?: string): TestStream =>
  app.open('/room', lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } });

/** What a client was told, a gap as its reason. */
const told = ({ events }: TestStream): unknown[] =>
  events.map(({ type, data }) => (type === 'sse-gap' ? (data as Gap).reason : data));
const untilTold = (client: TestStream, data: unknown): Promise<void> =>
  until(`it is told ${String(data)}`, () => told(client).includes(data));

interface Store {
  readonly way: TcpProxy;
  /** What is acknowledged from here on is going to be lost. */
  freeze(): Promise<void>;
  /** The server that answers from now on lacks it. */
  goBack(): Promise<void>;
}

const wayTo = async (redis: RedisServer): Promise<TcpProxy> => {
  const way = await startProxy(redis.port);
  proxies.push(way);
  return way;
};

async function restoredFromSnapshot(): Promise<Store> {
  const redis = await startRedis();
  return {
    way: await wayTo(redis),
    freeze: async () => void (await redis.command('SAVE')),
    goBack: () => redis.restart(),
  };
}

async function laggingReplica(): Promise<Store> {
  const redis = await startRedis();
  const replica = await startRedis({ replicaOf: redis });
  const way = await wayTo(redis);
  return {
    way,
    async freeze() {
      await untilReplicated(redis);
      // Cut off: it becomes the master of what it has.
      await replica.command('REPLICAOF', 'NO', 'ONE');
    },
    async goBack() {
      await redis.kill();
      way.target = replica.port;
    },
  };
}

/** Its clock, too: what the old master gave were positions of 20 s later. */
async function replicaWithASlowClock(): Promise<Store> {
  const redis = await startRedis();
  const replica = await startRedis({ replicaOf: redis });
  const way = await wayTo(redis);
  return {
    way,
    async freeze() {
      await untilReplicated(redis);
      await replica.command('REPLICAOF', 'NO', 'ONE');
      const ahead = String(Date.now() * 1_000 + 20_000_000);
      await redis.command('HSET', 'sse:{hub:}:meta', 'last', ahead);
    },
    async goBack() {
      await redis.kill();
      way.target = replica.port;
    },
  };
}

const STORES: [string, () => Promise<Store>][] = [
  ['comes back from a snapshot', restoredFromSnapshot],
  ['is followed by a replica that lacks the newest events', laggingReplica],
  ['is followed by such a replica, whose clock is behind', replicaWithASlowClock],
];

const LOST = [2, 3, 4, 5, 6];

describeRedis('when the store', () => {
  describe.each(STORES)('%s', (_what, makeStore) => {
    quiet();

    it('and all processes start again, a client that was away is told', async () => {
      const store = await makeStore();
      const before = await startApp(store.way);
      const cursor = await emit(before, 1);
      await store.freeze();
      for (const data of LOST) await emit(before, data);
      await before.close();
      await store.goBack();
      const after = await startApp(store.way);
      await emit(after, 7);
      const client = open(after, cursor);
      await untilTold(client, 'epoch');
      await emit(after, 8);
      await untilTold(client, 8);
      expect(told(client)).toEqual(['epoch', 8]);
    });

    it('and one process is new, those who stayed and who return to either are told', async () => {
      const store = await makeStore();
      const old = await startApp(store.way);
      const cursor = await emit(old, 1);
      await store.freeze();
      const stayed = open(old, cursor);
      let newest = '';
      for (const data of LOST) newest = await emit(old, data);
      await untilTold(stayed, 6);
      await store.goBack();
      const fresh = await startApp(store.way);
      await emit(fresh, 7);
      const clients = [old, fresh].flatMap((app) => [open(app, cursor), open(app, newest)]);
      for (const client of [stayed, ...clients]) await untilTold(client, 'epoch');
      for (const data of [8, 9]) await emit(old, data);
      for (const client of [stayed, ...clients]) await untilTold(client, 9);

      expect(told(stayed).slice(0, 6)).toEqual([...LOST, 'epoch']);
      expect(told(stayed).slice(-2)).toEqual([8, 9]);
      for (const client of clients) {
        const items = told(client);
        // A process that lived through it may have them still; it still reports the gap.
        const lost = items.slice(0, items.indexOf('epoch'));
        expect([[], LOST]).toContainEqual(lost);
        expect(items.slice(-2)).toEqual([8, 9]);
      }
    });

    it('a read that comes before any write is not of the epoch of what is lost', async () => {
      const store = await makeStore();
      const app = await startApp(store.way);
      const cursor = await emit(app, 1);
      await store.freeze();
      await emit(app, 2);
      await app.close();
      const reader = logOn(store.way);
      const { epoch, position } = await reader.head();
      expect(cursor).toContain(epoch);
      await store.goBack();
      const range = { after: position - 1, maxEvents: 10, maxBytes: 1_000 };
      let read: RoomsRead | undefined;
      await until('it is answered', async () => {
        read = await reader.read(['room'], range).catch(() => undefined);
        return read !== undefined;
      });
      await reader.close();
      expect(read?.epoch).not.toBe(epoch);
    });
  });
});

describeRedis('a last event ID from before its epoch', () => {
  it('is unknown, as in memory: nobody was given it', async () => {
    const app = await startApp(await wayTo(await startRedis()));
    const live = open(app);
    await live.until(({ text }) => text.includes('id: '));
    const before = (id: string): string => id.replace(/\w+$/, '1');
    const first = await emit(app, 1);
    // The process has followed an event since its epoch began.
    await untilTold(live, 1);
    const back = open(app, before(first));
    await untilTold(back, 'unknown');
    await emit(app, 2);
    await untilTold(back, 2);
    expect(told(back)).toEqual(['unknown', 2]);
    expect(told(live)).toEqual([1, 2]);
  });

  it('is unknown also where the epoch began because the store went back', async () => {
    const store = await restoredFromSnapshot();
    const app = await startApp(store.way);
    const live = open(app);
    await emit(app, 1);
    await untilTold(live, 1);
    await store.freeze();
    await store.goBack();
    await untilTold(live, 'epoch');
    const id = await emit(app, 2);
    await untilTold(live, 2);
    const back = open(app, id.replace(/\w+$/, '1'));
    await untilTold(back, 'unknown');
    expect(told(back)).toEqual(['unknown']);
  });
});

describeRedis('a store that is put back in place, under the same server', () => {
  quiet();

  it.each([
    ['the next event shows it', true],
    ['a probe shows it', false],
  ])('ends the history for all processes at once: %s', async (_how, publishes) => {
    const redis = await startRedis();
    const way = await wayTo(redis);
    const [one, other] = [await startApp(way), await startApp(way)];
    const cursor = await emit(one, 1);
    const clients = [open(one, cursor), open(other, cursor)];
    const keys = async (pattern: string): Promise<string[]> =>
      (await redis.command('KEYS', pattern)).split('\n').filter((key) => key !== '');
    const copies = await keys('sse:*');
    for (const key of copies) await redis.command('COPY', key, `copy:${key}`);
    for (const data of LOST) await emit(one, data);
    for (const client of clients) await untilTold(client, 6);
    for (const key of await keys('sse:*')) await redis.command('DEL', key);
    for (const key of copies) await redis.command('COPY', `copy:${key}`, key);

    if (publishes) await emit(one, 7);
    for (const client of clients) await untilTold(client, 'epoch');
    await until('both have caught up', () =>
      [one, other].every(({ nest }) => hubOf(nest.get(Streams).hub).log.trouble === undefined),
    );
    // Nobody has to have seen anything to know that cursors of before are of the past.
    const fresh = await startApp(way);
    const away = open(fresh, cursor);
    await untilTold(away, 'epoch');
    await emit(fresh, 8);
    for (const client of [...clients, away]) await untilTold(client, 8);
    expect(told(away)).toEqual(['epoch', 8]);
    for (const client of clients) expect(told(client)).toEqual([...LOST, 'epoch', 8]);
  });
});

describeRedis('a durable store', () => {
  quiet();

  it('keeps its history over a restart', async () => {
    const redis = await startRedis({ persist: true });
    const way = await wayTo(redis);
    const before = await startApp(way, { durable: true });
    const cursor = await emit(before, 1);
    await emit(before, 2);
    await before.close();
    await redis.restart();
    const after = await startApp(way, { durable: true });
    await emit(after, 3);
    const client = open(after, cursor);
    await untilTold(client, 3);
    expect(told(client)).toEqual([2, 3]);
  });
});

/** Outages are part of each test. */
function quiet(): void {
  beforeEach(() => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  });
}
