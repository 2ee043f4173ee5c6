// Sources that run while somebody reads their room.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Param, type OnModuleInit } from '@nestjs/common';
import { Broadcaster, SseStream, type SseModuleOptions } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { Observable } from 'rxjs';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { until } from '../support/until.js';

interface Prices {
  price: { symbol: string; by: string };
}

/** What runs now, of all processes. */
const running: string[] = [];
afterEach(() => void running.splice(0));

const pricesOf = (symbol: string, by: string) =>
  new Observable<Prices['price']>((subscriber) => {
    running.push(`${symbol} by ${by}`);
    subscriber.next({ symbol, by });
    return () => void running.splice(running.indexOf(`${symbol} by ${by}`), 1);
  });

/** The process that an app stands for. */
class Name {
  constructor(readonly text: string) {}
}

@Injectable()
class Feed implements OnModuleInit {
  constructor(
    private readonly hub: Broadcaster<Prices>,
    private readonly name: Name,
  ) {}
  onModuleInit(): void {
    const start = (room: string, { symbol }: { symbol: string }) => {
      const prices = pricesOf(symbol, this.name.text).subscribe(
        (price) => void this.hub.to(room).emit('price', price),
      );
      return () => prices.unsubscribe();
    };
    this.hub.onRoom('prices.:symbol', start, { lingerMs: 0 });
  }
}

@Controller()
class PricesController {
  constructor(private readonly hub: Broadcaster<Prices>) {}
  @SseStream('prices/:symbol') prices(@Param('symbol') symbol: string) {
    return this.hub.stream(`prices.${symbol}`);
  }
}

const start = (name: string, adapter: Adapter = 'express', sse: SseModuleOptions = {}) =>
  serve(PricesController, {
    adapter,
    sse,
    module: { providers: [Feed, { provide: Name, useValue: new Name(name) }] },
  });

describe.each(ADAPTERS)('a source of a room, on %s', (adapter) => {
  it('starts with the first reader, which gets what it emits, and stops with the last', async () => {
    const app = await start('this', adapter);
    const one = app.open('/prices/ACME');
    expect((await one.next()).data).toEqual({ symbol: 'ACME', by: 'this' });
    const two = app.open('/prices/ACME');
    await until('both read', () => app.nest.get(Broadcaster).size('prices.ACME') === 2);
    expect(running).toEqual(['ACME by this']);
    one.close();
    await until('one has left', () => app.nest.get(Broadcaster).size('prices.ACME') === 1);
    expect(running).toEqual(['ACME by this']);
    two.close();
    await until('it has stopped', () => running.length === 0);
  });

  it('stops with the app', async () => {
    const app = await start('this', adapter);
    await app.open('/prices/ACME').next();
    expect(running).toEqual(['ACME by this']);
    await app.close();
    expect(running).toEqual([]);
  });
});

describeRedis('a source of a room over two processes', () => {
  it('runs in each process that has a reader, and all readers get the events of both', async () => {
    const redis = await startRedis();
    const log = () => redisEventLog({ url: redis.url });
    const first = await start('first', 'express', { log: log() });
    const second = await start('second', 'express', { log: log() });
    const one = first.open('/prices/ACME');
    expect((await one.next()).data).toEqual({ symbol: 'ACME', by: 'first' });
    expect(running).toEqual(['ACME by first']);
    const two = second.open('/prices/ACME');
    expect((await one.next()).data).toEqual({ symbol: 'ACME', by: 'second' });
    expect(running).toEqual(['ACME by first', 'ACME by second']);
    two.close();
    await until('one is left', () => running.length === 1);
    expect(running).toEqual(['ACME by first']);
    await Promise.all([first.close(), second.close()]);
    await redis.stop();
  }, 30_000);
});
