// Events of an app's event emitter, and what methods return, on their way to clients.
import { describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Param, Post, Scope, type Type } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import {
  Broadcast,
  Broadcaster,
  InjectBroadcaster,
  SseModule,
  SseStream,
  type BroadcastOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

interface Order {
  no: number;
  customer: string;
}

@Injectable()
class Orders {
  readonly calls: unknown[] = [];

  @OnEvent('order.created')
  @Broadcast('orders')
  created(order: Order): Order {
    this.calls.push(order);
    return order;
  }

  // The other way around, as an event emitter of the app may need it.
  @Broadcast({ room: ({ customer }: Order) => `orders.${customer}`, type: 'sent' })
  @OnEvent('order.shipped')
  async shipped(order: Order): Promise<Order> {
    await new Promise(setImmediate);
    return order;
  }

  @OnEvent('order.*')
  @Broadcast({ room: ['all', 'orders'], hub: 'other' })
  any({ no }: Order): { no: number } {
    return { no };
  }

  @Broadcast({
    room: (no: number, by: string) => (by === 'nobody' ? undefined : [`of ${by}`, 'orders']),
    type: 'counted',
  })
  count(by: string): number | undefined {
    return by === 'none' ? undefined : by.length;
  }

  @Broadcast({
    room: () => {
      throw new Error('no room today');
    },
  })
  failingRoom(): number {
    return 7;
  }

  @Broadcast('orders')
  unserializable(): { big: bigint } {
    return { big: 1n };
  }

  @Broadcast('orders')
  throwing(): never {
    throw new Error('at once');
  }

  @Broadcast('orders')
  async rejecting(): Promise<never> {
    throw new Error('later');
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest extends Orders {
  @OnEvent('order.audited')
  @Broadcast('orders')
  audited(order: Order): Order {
    return order;
  }
}

@Controller()
class OrdersController {
  constructor(
    private readonly hub: Broadcaster,
    @InjectBroadcaster('other') private readonly other: Broadcaster,
  ) {}
  @SseStream('rooms/:room') room(@Param('room') room: string) {
    return this.hub.stream(room);
  }
  @SseStream('others/:room') others(@Param('room') room: string) {
    return this.other.stream(room);
  }
  @Post('orders/:no')
  @Broadcast('orders')
  place(@Param('no') no: string): { no: number } {
    return { no: Number(no) };
  }
}

const start = (adapter: Adapter = 'express', provider: Type = Orders) =>
  serve(OrdersController, {
    adapter,
    module: {
      imports: [
        EventEmitterModule.forRoot({ wildcard: true }),
        SseModule.forFeature([{ name: 'other' }]),
      ],
      providers: [provider],
    },
  });

type App = Awaited<ReturnType<typeof start>>;

async function open(app: App, path: string) {
  const stream = await responded(app.open(path));
  await stream.until(({ text }) => /^id: /m.test(text));
  return stream;
}

describe.each(ADAPTERS)('@Broadcast(), on %s', (adapter) => {
  it('carries events of the event emitter to clients', async () => {
    const app = await start(adapter);
    const paths = ['/rooms/orders', '/rooms/orders.ann', '/others/all'];
    const [orders, ofAnn, others] = await Promise.all(paths.map((path) => open(app, path)));
    const emitter = app.nest.get(EventEmitter2);
    const order = { no: 7, customer: 'ann' };
    emitter.emit('order.created', order);
    emitter.emit('order.shipped', order);
    expect(await orders!.next()).toMatchObject({ type: 'created', data: order });
    expect(await ofAnn!.next()).toMatchObject({ type: 'sent', data: order });
    expect(await others!.take(2)).toMatchObject([
      { type: 'any', data: { no: 7 } },
      { type: 'any', data: { no: 7 } },
    ]);
    expect(app.nest.get(Orders).calls).toEqual([order]);
    expect(app.logged).toEqual([]);
  });

  it('publishes what a route answers, which its client gets as well', async () => {
    const app = await start(adapter);
    const orders = await open(app, '/rooms/orders');
    const response = await fetch(`${app.url}/orders/8`, { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([201, { no: 8 }]);
    expect(await orders.next()).toMatchObject({ type: 'place', data: { no: 8 } });
  });
});

describe('@Broadcast()', () => {
  it('is for providers of a request, too', async () => {
    const app = await start('express', OfRequest);
    const orders = await open(app, '/rooms/orders');
    app.nest.get(EventEmitter2).emit('order.audited', { no: 9, customer: 'ben' });
    expect(await orders.next('audited')).toMatchObject({ data: { no: 9, customer: 'ben' } });
  });

  it('asks for the rooms by the result and the arguments, and publishes no undefined', async () => {
    const app = await start();
    const [orders, ofAnn] = [await open(app, '/rooms/orders'), await open(app, '/rooms/of ann')];
    const service = app.nest.get(Orders);
    expect(['none', 'nobody', 'ann'].map((by) => service.count(by))).toEqual([undefined, 6, 3]);
    for (const stream of [orders, ofAnn]) {
      expect(await stream.next()).toMatchObject({ type: 'counted', data: 3 });
    }
  });

  it('changes nothing of what the method does', async () => {
    const app = await start();
    const service = app.nest.get(Orders);
    const order = { no: 1, customer: 'ann' };
    expect(service.created(order)).toBe(order);
    expect(await service.shipped(order)).toBe(order);
    expect(() => service.throwing()).toThrow('at once');
    await expect(service.rejecting()).rejects.toThrow('later');
    expect(service.created.name).toBe('created');
  });

  it('logs what keeps it from publishing', async () => {
    const app = await start();
    const service = app.nest.get(Orders);
    expect([service.failingRoom(), service.failingRoom()]).toEqual([7, 7]);
    expect(service.unserializable()).toEqual({ big: 1n });
    const byHand = new Orders();
    expect(byHand.count('ann')).toBe(3);
    await new Promise(setImmediate);
    expect(app.logged).toEqual([
      '@Broadcast() of Orders.failingRoom() published nothing: no room today',
      '@Broadcast() of Orders.count() published nothing: the instance has no hub; let Nest create the class as a provider or a controller',
      expect.stringMatching(/^An event was not published: data of "unserializable": /),
    ]);
  });

  it('needs the hub that it names', async () => {
    @Injectable()
    class Lost {
      @Broadcast({ room: 'a', hub: 'none' })
      created(): number {
        return 1;
      }
    }
    await expect(start('express', Lost)).rejects.toThrow(
      /can't resolve dependencies of the Lost.*@Broadcast\(\) of Lost\.created\(\)/,
    );
  });

  it.each([
    [undefined, '@Broadcast(): expected an object, got undefined'],
    [
      {},
      '@Broadcast().room: expected a room, an array of rooms, or a function that returns them, got undefined',
    ],
    ['', 'room: expected a name of 1 to 256 characters (got "")'],
    [[], 'room: expected at least one room (got an empty array)'],
    [{ room: 'a', type: '' }, '@Broadcast().type: expected a non-empty string, got ""'],
    [{ room: 'a', name: 'x' }, /^@Broadcast\(\)\.name: no such option/],
  ])('refuses %j', (options, message) => {
    expect(() => Broadcast(options as BroadcastOptions)).toThrow(message);
  });
});
