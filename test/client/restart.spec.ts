import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve } from '../support/serve.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { collect, open } from './support.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('main') main() {
    return this.hub.stream('main');
  }
}

describeRedis('a client of a server that is started again', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
  }, 20_000);

  afterAll(() => redis?.stop());

  it('resumes, and loses nothing that was published meanwhile', async () => {
    const start = async () => {
      const app = await serve(Streams, {
        sse: { retry: 20, log: redisEventLog({ url: redis.url }) },
      });
      const hub = app.nest.get(Broadcaster);
      return { app, hub, emit: (n: number) => hub.to('main').emit('n', n) };
    };
    const [before, elsewhere] = [await start(), await start()];
    const proxy = await startProxy(before.app.port);
    const stream = open<{ n: number }>(`http://127.0.0.1:${proxy.port}/main`, { maxBackoffMs: 50 });
    const got = collect(stream);
    await until('it reads', () => before.hub.size('main') === 1);
    await before.emit(1);
    await until('the first event', () => got.length === 1);

    await before.app.close();
    await elsewhere.emit(2);
    const after = await start();
    proxy.target = after.app.port;
    await until('it is back', () => after.hub.size('main') === 1);
    await after.emit(3);
    await until('the rest', () => got.length === 3);
    expect(got.map(({ type, data }) => [type, data])).toEqual([
      ['n', 1],
      ['n', 2],
      ['n', 3],
    ]);
    stream.close();
    await proxy.close();
  }, 20_000);
});
