// Sample 02: server, page and document have their events from one map.
import type { Broadcaster } from 'nestjs-eventstream';
import type { connect, EventStream } from 'nestjs-eventstream/client';
import type { ApiSseStreamOptions } from 'nestjs-eventstream/swagger';
import {
  ORDER_EVENTS,
  Order,
  Shop,
  type OrderEvents,
  type OrderMessage,
} from '../../sample/02-orders/events.js';

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

/** What the handler puts before the events of the hub. */
export const messages: OrderMessage[] = [
  { type: 'connected', data: { connection: 'one', revision: 1 } },
  // @ts-expect-error no such event
  { type: 'welcome', data: { connection: 'one', revision: 1 } },
  // @ts-expect-error the data of another event
  { type: 'orders', data: { connection: 'one', revision: 1 } },
];

export function page(stream: EventStream<OrderEvents>): void {
  stream.on('created', ({ data }) => data.status === 'placed');
  stream.on('orders', ({ data }) => data.orders[0]?.item.trim());
  // @ts-expect-error no such event
  stream.on('deleted', () => {});
  // @ts-expect-error the data of another event
  stream.on('shop', ({ data }) => data.orders);
  // @ts-expect-error no such status
  stream.on('changed', ({ data }) => data.status === 'lost');
}

export const connected: ReturnType<typeof connect<OrderEvents>> = {} as EventStream<OrderEvents>;
// @ts-expect-error the stream of other events
export const other: EventStream<OrderEvents> = {} as EventStream<{ created: string }>;

export const documents: ApiSseStreamOptions[] = [
  { events: ORDER_EVENTS },
  // @ts-expect-error no class
  { events: { created: { no: 1 } } },
];

/** As a document that names its classes itself: each has to be that of its event. */
export const maps: (typeof ORDER_EVENTS)[] = [
  { ...ORDER_EVENTS, created: Order },
  // @ts-expect-error the class of another event
  { ...ORDER_EVENTS, created: Shop },
  // @ts-expect-error one event is missing
  { created: Order, changed: Order, shop: Shop },
  // @ts-expect-error one event too many
  { ...ORDER_EVENTS, deleted: Order },
];
