// Sample 02: server, page and document have one contract, and neither end needs a cast.
import { Connection, SseStream, type Broadcaster, type SseConnection } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { sseContract } from 'nestjs-eventstream/contract';
import { of, startWith } from 'rxjs';
import {
  orders,
  OrderSchema,
  type Change,
  type Order,
  type OrderEvents,
  type OrderMessage,
  type Shop,
} from '../../sample/02-orders/events.js';
import type { OrdersService } from '../../sample/02-orders/orders.service.js';
import { takeEvent } from '../../sample/02-orders/page/live.js';
import { sharedOrders } from '../../sample/03-cluster/events.js';

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Expect<IsEqual extends true> = IsEqual;

/** What the schemas say. */
export type Inferred = [
  Expect<
    Equal<
      Order,
      {
        no: number;
        item: string;
        amount: number;
        status: 'placed' | 'packed' | 'shipped';
        revision: number;
      }
    >
  >,
  Expect<Equal<OrderEvents['shop'], { isOpen: boolean; revision: number }>>,
  Expect<Equal<Change['type'], 'created' | 'changed' | 'shop'>>,
  // @ts-expect-error a shop is no order
  Expect<Equal<Order, Shop>>,
];

export async function server(hub: Broadcaster<OrderEvents>, order: Order): Promise<void> {
  await hub.to('orders').emit('created', order);
  const fields = { no: 1, item: 'Mug', amount: 1, revision: 1 };
  await hub.to('orders').emit('created', { ...fields, status: 'placed' });
  await hub.to('orders').emit('shop', { isOpen: true, revision: 1 });
  // @ts-expect-error no such event
  await hub.to('orders').emit('deleted', order);
  // @ts-expect-error the data of another event
  await hub.to('orders').emit('shop', order);
  // @ts-expect-error a missing field
  await hub.to('orders').emit('shop', { isOpen: true });
  // @ts-expect-error no such status
  await hub.to('orders').emit('created', { ...fields, status: 'lost' });
}

/** The messages of a snapshot. */
export const messages: OrderMessage[] = [
  { type: 'connected', data: { connection: 'one', revision: 1 } },
  // @ts-expect-error no such event
  { type: 'welcome', data: { connection: 'one', revision: 1 } },
  // @ts-expect-error the data of another event
  { type: 'orders', data: { connection: 'one', revision: 1 } },
];

export class Handlers {
  constructor(private readonly service: OrdersService) {}

  @SseStream(orders)
  events(@Connection() { id }: SseConnection) {
    const data = { connection: id, revision: 1 };
    return this.service.stream().pipe(startWith({ type: 'connected', data } as const));
  }

  // @ts-expect-error no such event
  @SseStream(orders)
  unknown() {
    return this.service.stream().pipe(startWith({ type: 'welcome', data: 1 } as const));
  }

  // @ts-expect-error the data of another event
  @SseStream(orders)
  wrong() {
    return this.service.stream().pipe(startWith({ type: 'connected', data: { no: 1 } } as const));
  }

  // @ts-expect-error only sample 03 has this event
  @SseStream(orders)
  cluster() {
    const redis = { isUp: true, canBeKilled: false };
    return of({ type: 'cluster', data: { processes: [], redis } } as const);
  }
}

export function page(): void {
  const stream = connect(orders, { baseUrl: '.', lastEventId: undefined });
  stream.on('created', ({ data }) => data.status === 'placed');
  stream.on('orders', ({ data }) => data.orders[0]?.item.trim());
  stream.on('sse-gap', ({ data }) => data.rooms.join());
  // @ts-expect-error no such event
  stream.on('deleted', () => {});
  // @ts-expect-error the data of another event
  stream.on('shop', ({ data }) => data.orders);
  // @ts-expect-error no such status
  stream.on('changed', ({ data }) => data.status === 'lost');
  stream.subscribe((event) => {
    if (event.type === 'shop') return event.data.isOpen;
    // @ts-expect-error no such event
    return event.type === 'deleted';
  });
}

export function pages(): void {
  connect(orders).subscribe(takeEvent);
  connect(sharedOrders).subscribe((event) => {
    if (event.type !== 'cluster') return takeEvent(event);
    // @ts-expect-error no such field
    return event.data.isUp;
  });
  // @ts-expect-error this page does not know the event `cluster`
  connect(sharedOrders).subscribe(takeEvent);
  const swapped = { ...orders.events, shop: OrderSchema };
  // @ts-expect-error the data of another event
  connect(sseContract({ path: 'events', events: swapped })).subscribe(takeEvent);
  // @ts-expect-error no parameter in the path
  connect(orders, { params: { shop: 1 } });
  // @ts-expect-error no query in the contract
  connect(orders, { query: { since: 1 } });
}
