import { ConflictException, NotFoundException } from '@nestjs/common';
import {
  STATUSES,
  type Change,
  type NewOrder,
  type Order,
  type OrderStatus,
  type Shop,
} from './events.js';

/** Beyond so many, shipped orders are forgotten. */
const MAX_ORDERS = 24;

/** All that the shop knows. It never changes: a step makes another one of it. */
export interface ShopState extends Readonly<Shop> {
  readonly lastNo: number;
  /** Newest first. */
  readonly orders: readonly Order[];
}

/** From one state to the next, and what clients are told of it. */
export type Step<Data extends Order | Shop> = (shop: ShopState) => {
  readonly shop: ShopState;
  readonly change: Change & { readonly data: Data };
};

const FIRST_ORDERS: [item: string, amount: number, status: OrderStatus][] = [
  ['Coffee beans, 1 kg', 2, 'shipped'],
  ['Hand grinder', 1, 'shipped'],
  ['Stoneware mug', 4, 'shipped'],
  ['Green tea, 250 g', 1, 'shipped'],
  ['Filter papers', 3, 'packed'],
  ['Honey, 500 g', 1, 'packed'],
  ['Teapot, 1.2 l', 1, 'placed'],
  ['Oat biscuits', 4, 'placed'],
];

/** With what was in the database before: nobody has to be told. */
export function openShop(): ShopState {
  const empty: ShopState = { isOpen: true, revision: 0, lastNo: 1000, orders: [] };
  return FIRST_ORDERS.reduce(
    (shop, [item, amount, status]) => withOrder(shop, { item, amount }, status).shop,
    empty,
  );
}

export const place =
  (order: NewOrder): Step<Order> =>
  (before) => {
    const { shop, placed } = withOrder(before, order, 'placed');
    return { shop, change: { type: 'created', data: placed } };
  };

/** From placed to packed, from packed to shipped. */
export const advance =
  (no: number): Step<Order> =>
  (shop) => {
    const order = shop.orders.find((one) => one.no === no);
    if (order === undefined) throw new NotFoundException(`There is no order ${no}`);
    const status = STATUSES[STATUSES.indexOf(order.status) + 1];
    if (status === undefined) throw new ConflictException(`Order ${no} is ${order.status}`);
    const { item, amount } = order;
    const changed: Order = { no, item, amount, status, revision: shop.revision + 1 };
    const orders = shop.orders.map((one) => (one === order ? changed : one));
    return {
      shop: { ...shop, orders, revision: changed.revision },
      change: { type: 'changed', data: changed },
    };
  };

export const setOpen =
  (isOpen: boolean): Step<Shop> =>
  (before) => {
    const revision = before.revision + 1;
    return {
      shop: { ...before, isOpen, revision },
      change: { type: 'shop', data: { isOpen, revision } },
    };
  };

function withOrder(shop: ShopState, { item, amount }: NewOrder, status: OrderStatus) {
  const no = shop.lastNo + 1;
  const revision = shop.revision + 1;
  const placed: Order = { no, item, amount, status, revision };
  const orders = withoutOldest([placed, ...shop.orders]);
  return { shop: { ...shop, lastNo: no, revision, orders }, placed };
}

function withoutOldest(orders: Order[]): Order[] {
  if (orders.length <= MAX_ORDERS) return orders;
  const oldest = orders.filter(({ status }) => status === 'shipped').at(-1);
  return orders.filter((order) => order !== oldest);
}
