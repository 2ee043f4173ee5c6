// docs/recipes/publishing: events from a script without HTTP, and through a route.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { PublishController } from '../../docs/recipes/publishing/publish.controller.js';
import { RecipeProcess } from '../support/recipe-process.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';

@Controller()
class Shop {
  constructor(private readonly broadcaster: Broadcaster) {}
  @SseStream('shop') shop() {
    return this.broadcaster.stream(['shop', 'warehouse']);
  }
}

describeRedis('the recipes for publishing', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
    process.env['PUBLISH_SECRET'] = 'a secret';
  });

  afterAll(async () => {
    delete process.env['PUBLISH_SECRET'];
    await redis?.stop();
  });

  it('bring an event of a script to the clients of a web process, once for all its runs', async () => {
    const { app, stream } = await start();
    const first = await announce();
    expect(first).toEqual({ code: 0, output: '' });
    const offers = await stream.next();
    expect(offers).toMatchObject({ type: 'offers', data: { day: expect.any(String) } });
    // As cron does it after a failure.
    expect(await announce()).toEqual({ code: 0, output: '' });
    await publish(app, { type: 'stock', data: 1 });
    expect(await stream.next()).toMatchObject({ type: 'stock', data: 1 });
  });

  it('end the script with a failure when Redis is not there', async () => {
    const { code, output } = await announce('redis://127.0.0.1:1');
    expect([code, output]).toEqual([1, expect.stringContaining('cannot connect to Redis')]);
  });

  it('let those who have the secret publish by a request, once for each key', async () => {
    const { app, stream } = await start();
    const stock = { type: 'stock', data: { mugs: 7 } };
    const first = await publish(app, stock, { 'idempotency-key': 'mugs' });
    const second = await publish(app, stock, { 'idempotency-key': 'mugs' });
    const { id } = (await first.json()) as { id: string };
    expect([first.status, await second.json()]).toEqual([201, { id }]);
    await publish(app, { type: 'offers', data: { day: 'today' } });
    expect(await stream.take(2)).toMatchObject([{ ...stock, id }, { type: 'offers' }]);
  });

  it('refuse others, and types that are not listed', async () => {
    const { app } = await start();
    const stock = { type: 'stock', data: 1 };
    for (const authorization of ['', 'Bearer wrong', 'Bearer undefined']) {
      expect((await publish(app, stock, { authorization })).status).toBe(401);
    }
    expect((await publish(app, { type: 'paid', data: 1 })).status).toBe(400);
    delete process.env['PUBLISH_SECRET'];
    expect((await publish(app, stock, { authorization: 'Bearer undefined' })).status).toBe(401);
    process.env['PUBLISH_SECRET'] = 'a secret';
  });

  async function start() {
    const log = redisEventLog({ url: redis.url });
    const app = await serve([PublishController, Shop], { sse: { log } });
    const stream = app.open('/shop');
    await stream.until(({ text }) => text.includes('id: '));
    return { app, stream };
  }

  async function announce(url = redis.url) {
    const script = new RecipeProcess('publishing/announce-offers.ts', { REDIS_URL: url });
    return { code: await script.ended, output: script.output };
  }
});

function publish({ url }: TestApp, event: object, headers: Record<string, string> = {}) {
  return fetch(`${url}/publish`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer a secret',
      ...headers,
    },
    body: JSON.stringify(event),
  });
}
