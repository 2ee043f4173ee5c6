import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The room of everything that happens in the shop. */
export const ROOM = 'orders';

/** From the first to the last. */
export const STATUSES = ['placed', 'packed', 'shipped'] as const;

export type OrderStatus = (typeof STATUSES)[number];

export class NewOrder {
  @ApiProperty() item!: string;
  /** How many pieces. */
  @ApiProperty() amount!: number;
}

/**
 * Each change of the shop raises its revision by one, so that a client can tell whether it has them
 * all. The library's promise does not need it: this is how the page checks the promise.
 */
export class Order extends NewOrder {
  @ApiProperty() no!: number;
  @ApiProperty({ enum: STATUSES }) status!: OrderStatus;
  @ApiProperty() revision!: number;
}

/** How many changes there were. */
export class Revision {
  @ApiProperty() revision!: number;
}

export class Shop extends Revision {
  /** Whether customers and packers are at work, or everything waits. */
  @ApiProperty() isOpen!: boolean;
}

/** The first message on each connection, for this client alone. */
export class Connected {
  /** Names the connection, for `POST /connections/:id/drop`. */
  @ApiProperty() connection!: string;
  /** What serves it, where several processes do. */
  @ApiPropertyOptional() place?: string;
  @ApiProperty() revision!: number;
}

/** What the changes change: for a client that is new, or that has missed too much. */
export class OrdersSnapshot extends Shop {
  @ApiProperty({ enum: ['fresh', 'gap'] }) reason!: 'fresh' | 'gap';
  /** Where to go on from. */
  @ApiProperty() cursor!: string;
  @ApiProperty({ type: [Order] }) orders!: Order[];
}

/** The events of the stream, each with its data, as the document has them. */
export const ORDER_EVENTS = {
  connected: Connected,
  orders: OrdersSnapshot,
  // The changes, which are kept and replayed.
  created: Order,
  changed: Order,
  shop: Shop,
};

/** The same as the server and the page have them. */
export type OrderEvents = {
  [Type in keyof typeof ORDER_EVENTS]: InstanceType<(typeof ORDER_EVENTS)[Type]>;
};

/** One of them, as it is sent. */
export type OrderMessage = {
  [Type in keyof OrderEvents]: { readonly type: Type; readonly data: OrderEvents[Type] };
}[keyof OrderEvents];

export type Change = Extract<OrderMessage, { type: 'created' | 'changed' | 'shop' }>;
