// Who comes while Redis is away, dead or hung, gets what the guide says under "While Redis is
// away".
import { afterAll, afterEach, expect, it, jest } from '@jest/globals';
import { Controller, Logger } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis, stopAllRedis } from '../support/redis-server.js';
import { serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';
import { startProxy } from '../support/tcp-proxy.js';

jest.setTimeout(30_000);

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('live') live() {
    return this.hub.stream('a');
  }
  @SseStream('rewind') rewind() {
    return this.hub.stream('a', { rewind: 1 });
  }
  @SseStream('until', { rejectWith: 'status' }) until() {
    return this.hub.stream('a', { until: ['end'] });
  }
}

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(stopAllRedis);

/** Of a log that this process has never seen. */
const UNKNOWN = '1.abcdefgh.hocqx6mqcw';

describeRedis('a client that comes after an event was published here', () => {
  it('does not get it, even if Redis has not told this process of it yet', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const redis = await startRedis();
    const way = await startProxy(redis.port);
    const log = redisEventLog({ url: `redis://127.0.0.1:${way.port}` });
    const app = await serve(Streams, { sse: { log } });
    const { hub } = app.nest.get(Streams);
    way.connectionsWhere((sent) => /\bsubscribe\b/i.test(sent)).blackHole();
    const before = await hub.to('a').emit('before', 1);
    const live = app.open('/live');
    await live.until(({ text }) => text.includes(`id: ${before}\n`));
    way.heal();
    await hub.to('a').emit('after', 2);
    await live.until(({ events }) => events.some(({ type }) => type === 'after'));
    expect(live.events.map(({ type }) => type)).toEqual(['after']);
    await way.close();
  });
});

describeRedis('a client that comes while Redis is away', () => {
  it.each(['dead', 'hung'] as const)(
    'is told to come back if it needs Redis (%s), and reads live if not',
    async (how) => {
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
      const redis = await startRedis();
      const log = redisEventLog({ url: redis.url });
      const app = await serve(Streams, { sse: { log } });
      const { hub } = app.nest.get(Streams);
      await hub.to('a').emit('first', 1);
      if (how === 'dead') await redis.kill();
      else redis.pause();

      const live = app.open('/live');
      const returning = app.open('/live', { headers: { 'last-event-id': UNKNOWN } });
      const rewind = app.open('/rewind');
      const withStatus = app.open('/until');
      expect(await returning.ended).toMatch(/^retry: \d+\n\n$/);
      expect(await rewind.ended).toMatch(/^retry: \d+\n\n$/);
      const { status, headers } = await responded(withStatus);
      expect({ status, waits: Number(headers['retry-after']) > 0 }).toEqual({
        status: 503,
        waits: true,
      });

      if (how === 'dead') await redis.restart();
      else redis.resume();
      await live.until(({ text }) => text.includes('id: '));
      while (live.events.length === 0) {
        await hub
          .to('a')
          .emit('second', 2)
          .catch(() => {});
      }
      expect(live.events.map(({ type }) => type)).not.toContain('sse-error');
    },
  );
});
