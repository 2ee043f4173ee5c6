import { sseContract, type EventsOf, type MessageOf } from 'nestjs-eventstream/contract';
// With `import { z }`, bundlers put all languages of zod into the page, which is then four times as
// large. `zod/mini` is smaller, but its schemas have no JSON Schema for the OpenAPI document.
import * as z from 'zod';

// Otherwise zod tries to compile schemas with `eval`, which the page's content security policy
// forbids and reports.
z.config({ jitless: true });

/** The room of everything that happens in the shop. */
export const ROOM = 'orders';

/** From the first to the last. */
export const STATUSES = ['placed', 'packed', 'shipped'] as const;

export const NewOrderSchema = z.object({
  item: z.string().min(1).max(80),
  amount: z.int().min(1).max(99).describe('How many pieces.'),
});

/**
 * Each change of the shop raises its revision by one, so that a client can tell whether it has them
 * all. The library's promise does not need it: this is how the page checks the promise.
 */
export const RevisionSchema = z.object({ revision: z.int() });

export const OrderSchema = z.object({
  no: z.int(),
  ...NewOrderSchema.shape,
  status: z.enum(STATUSES),
  ...RevisionSchema.shape,
});

export const ShopSchema = z.object({
  /** Whether customers and packers are at work, or everything waits. */
  isOpen: z.boolean(),
  ...RevisionSchema.shape,
});

/** The stream of the shop, for the server, the page and the document. */
export const orders = sseContract({
  path: 'events',
  events: {
    // The first event on each connection, for this client alone.
    connected: z.object({
      connection: z.string().describe('Names the connection, for POST /connections/:id/drop.'),
      place: z.string().optional().describe('The process that serves it, if there are several.'),
      ...RevisionSchema.shape,
    }),
    // For a client that is new, or that has missed too much.
    orders: z.object({
      reason: z.enum(['fresh', 'gap']),
      cursor: z.string().describe('Where the changes go on.'),
      orders: z.array(OrderSchema),
      ...ShopSchema.shape,
    }),
    // The changes, which are kept and replayed.
    created: OrderSchema,
    changed: OrderSchema,
    shop: ShopSchema,
  },
});

export type OrderEvents = EventsOf<typeof orders>;
export type Connected = OrderEvents['connected'];
export type OrdersSnapshot = OrderEvents['orders'];
export type OrderMessage = MessageOf<typeof orders>;
export type Change = Extract<OrderMessage, { type: 'created' | 'changed' | 'shop' }>;

export type NewOrder = z.infer<typeof NewOrderSchema>;
export type Order = z.infer<typeof OrderSchema>;
export type OrderStatus = Order['status'];
export type Revision = z.infer<typeof RevisionSchema>;
export type Shop = z.infer<typeof ShopSchema>;
