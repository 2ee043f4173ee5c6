/** The room of everything that happens in the shop. */
export const ROOM = 'orders';

/** From the first to the last. */
export const STATUSES = ['placed', 'packed', 'shipped'] as const;

export type OrderStatus = (typeof STATUSES)[number];

/**
 * Each change of the shop raises its revision by one, so that a client can tell whether it has them all. The library's
 * promise does not need it: this is how the page checks the promise.
 */
interface Revised {
  revision: number;
}

export interface NewOrder {
  item: string;
  /** How many pieces. */
  amount: number;
}

export interface Order extends NewOrder, Revised {
  no: number;
  status: OrderStatus;
}

export interface Shop extends Revised {
  /** Whether customers and packers are at work, or everything waits. */
  isOpen: boolean;
}

/** The changes that are kept and replayed: each event type with its data. */
export interface OrderEvents {
  created: Order;
  changed: Order;
  shop: Shop;
}

/** One of them, as it is published. */
export type Change = {
  [Type in keyof OrderEvents]: { readonly type: Type; readonly data: OrderEvents[Type] };
}[keyof OrderEvents];

/** The first message on each connection, for this client alone. */
export interface Connected extends Revised {
  /** Names the connection, for `POST /connections/:id/drop`. */
  connection: string;
  /** What serves it, where several processes do. */
  place?: string;
}

/** What the changes change, as a message `orders`: for a client that is new, or that has missed too much. */
export interface OrdersSnapshot extends Shop {
  reason: 'fresh' | 'gap';
  /** Where to go on from. */
  cursor: string;
  orders: Order[];
}
