import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { firstValueFrom, take, toArray } from 'rxjs';
import { ROOM, type OrderEvents } from '../../sample/02-orders/events.js';
import type { SharedOrdersService } from '../../sample/03-cluster/shared-orders.service.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';

describeRedis('the orders that several processes share', () => {
  let redis: RedisServer;
  let Orders: typeof SharedOrdersService;
  const processes: TestingModule[] = [];

  beforeAll(async () => {
    redis = await startRedis({ persist: true });
    // As the primary does it for its processes.
    process.env['REDIS_URL'] = redis.url;
    Orders = (await import('../../sample/03-cluster/shared-orders.service.js')).SharedOrdersService;
  }, 20_000);

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((one) => one.close()));
  });

  afterAll(async () => {
    delete process.env['REDIS_URL'];
    await redis?.stop();
  });

  it('are told in the order of their revisions and once each, whoever changes and tells them', async () => {
    const [first, second] = [await start(), await start()];
    const before = first.get(Orders).revision;
    const told = revisions(first, 20);
    await Promise.all(
      Array.from({ length: 20 }, (_none, n) =>
        [first, second][n % 2]!.get(Orders).place({ item: 'Mug', amount: 1 }),
      ),
    );
    expect(await told).toEqual(Array.from({ length: 20 }, (_none, n) => before + n + 1));
    expect(first.get(Orders).revision).toBe(before + 20);
  }, 20_000);

  it('are told by another process where the one that changed them is gone', async () => {
    const [first, second] = [await start(), await start()];
    const { ShopStore } = await import('../../sample/03-cluster/shop-store.js');
    const { place } = await import('../../sample/02-orders/shop.js');
    const told = revisions(second, 2);
    await first.get(ShopStore).change(place({ item: 'Mug', amount: 1 }));
    const before = second.get(Orders).revision;
    await processes.shift()?.close();

    await second.get(Orders).place({ item: 'Teapot', amount: 1 });
    expect(await told).toEqual([before + 1, before + 2]);
  }, 20_000);

  /** What one of the processes has of the shop; nothing happens in it but what a test does. */
  async function start(): Promise<TestingModule> {
    const { ShopStore } = await import('../../sample/03-cluster/shop-store.js');
    const module = await Test.createTestingModule({
      imports: [SseModule.forRoot({ log: redisEventLog({ url: redis.url }) })],
      providers: [ShopStore, Orders],
    }).compile();
    processes.push(module);
    return module.init();
  }

  function revisions(module: TestingModule, count: number): Promise<number[]> {
    const events$ = module.get<Broadcaster<OrderEvents>>(Broadcaster).stream(ROOM);
    const all = firstValueFrom(events$.pipe(take(count), toArray()));
    return all.then((events) => events.map(({ data }) => data.revision));
  }
});
