import { useReducer } from 'react';
import type { StreamEvent, StreamState } from 'nestjs-eventstream/client';
import { useEvents, useStream } from 'nestjs-eventstream/react';

export interface OrderEvents {
  orders: { orders: readonly number[] };
  created: { no: number };
}

type Orders = readonly number[];

function change(orders: Orders, event: StreamEvent<OrderEvents>): Orders {
  switch (event.type) {
    case 'orders':
      return event.data.orders;
    case 'created':
      return [...orders, event.data.no];
    default:
      return orders;
  }
}

/** The orders of a room whose stream begins with a snapshot. */
export function useOrders(url: string): {
  orders: readonly number[];
  state: StreamState;
} {
  const { stream, state } = useStream<OrderEvents>(url);
  const [orders, dispatch] = useReducer(change, []);
  useEvents(stream, dispatch);
  return { orders, state };
}
