// Rooms of open streams that change while Redis loses everything, and thousands of times.
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Body, Controller, Post, Query } from '@nestjs/common';
import { Broadcaster, SseStream, type EventLogFactory, type RoomsChange } from 'nestjs-eventstream';
import { connect, type EventStream } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

interface Events {
  n: number;
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

const startApp = (log?: EventLogFactory): Promise<TestApp> =>
  serve(App, { sse: { retry: 1, ...(log && { log }) } });

class Client {
  readonly stream: EventStream<Events>;
  readonly got: number[] = [];
  /** The rooms of each gap. */
  readonly gaps: string[] = [];

  constructor(app: TestApp, rooms: string) {
    this.stream = connect<Events>(`${app.url}/events?rooms=${rooms}`, { maxBackoffMs: 20 });
    this.stream.on('n', ({ data }) => this.got.push(data));
    this.stream.on('sse-gap', ({ data }) => this.gaps.push(...data.rooms));
  }

  has(n: number): Promise<unknown> {
    return until(`it has ${n}`, () => this.got.includes(n));
  }
}

describeRedis('streams whose rooms change', () => {
  let redis: RedisServer;
  let apps: TestApp[];
  let last = 0;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const log = redisEventLog({ url: redis.url, probeIntervalMs: 200 });
    apps = [await startApp(log), await startApp(log)];
  });

  /** In a room, by the other process; again as long as Redis refuses it. */
  const emit = async (room: string): Promise<number> => {
    const n = ++last;
    const hub = apps[1]!.nest.get(App).hub;
    await until('it is accepted', () =>
      hub
        .to(room)
        .emit('n', n, { key: `n ${n}` })
        .catch(() => ''),
    );
    return n;
  };

  it('go on with the rooms in force when Redis loses everything as a room joins', async () => {
    for (let round = 0; round < 12; round++) {
      const client = new Client(apps[round % 2]!, 'a');
      await until('it is open', () => client.stream.state === 'open');
      await client.has(await emit('a'));
      const joining = client.stream.join(`b${round}`).then(
        () => true,
        () => false,
      );
      // Before, while and after the server works on it.
      for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
      await redis.command('FLUSHALL');
      const hasJoined = await joining;
      const rooms = hasJoined ? ['a', `b${round}`] : ['a'];
      // What comes before the process knows of the loss may be within the gap.
      for (const room of rooms) {
        await until(`it goes on with ${room}`, async () => {
          const n = await emit(room);
          await until(`it has ${n}`, () => client.got.includes(n), 500).catch(() => {});
          return client.got.includes(n);
        });
      }
      for (const room of rooms) await client.has(await emit(room));
      expect(client.stream.rooms.includes(`b${round}`)).toBe(hasJoined);
      expect(client.got).toEqual([...new Set(client.got)].sort((one, other) => one - other));
      expect(client.gaps.filter((room) => room !== 'a' && room !== `b${round}`)).toEqual([]);
      client.stream.close();
    }
  }, 60_000);
});
