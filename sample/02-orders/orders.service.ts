import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';
import { Broadcaster } from 'nestjs-eventstream';
import {
  ROOM,
  STATUSES,
  type NewOrder,
  type Order,
  type OrderEvents,
  type OrderStatus,
  type OrdersSnapshot,
  type Shop,
} from './events.js';

/** Beyond so many, shipped orders are forgotten. */
const MAX_ORDERS = 24;

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

/**
 * The database of the shop, and what tells its changes. The change comes first and its event second: a client that
 * connects in between has the change in its snapshot. The other way round it would have it nowhere.
 */
@Injectable()
export class OrdersService {
  private readonly orders = new Map<number, Order>();
  private lastNo = 1000;
  private lastRevision = 0;
  private shopIsOpen = true;

  constructor(private readonly broadcaster: Broadcaster<OrderEvents>) {
    // What was in the database before: nobody has to be told.
    for (const [item, amount, status] of FIRST_ORDERS) this.store({ item, amount }, status);
  }

  /** Up to which change everything is in the database. */
  get revision(): number {
    return this.lastRevision;
  }

  get isOpen(): boolean {
    return this.shopIsOpen;
  }

  /** Newest first. */
  list(): Order[] {
    return [...this.orders.values()].reverse();
  }

  /** Everything, and the position in the stream from which on the changes go on. */
  async snapshot(reason: OrdersSnapshot['reason']): Promise<OrdersSnapshot> {
    // The cursor first: a change in between is then in the list and comes again. The other way round it would be lost.
    const cursor = await this.broadcaster.position();
    const { isOpen, revision } = this;
    return { reason, cursor, revision, isOpen, orders: this.list() };
  }

  async place(order: NewOrder): Promise<Order> {
    const placed = this.store(order, 'placed');
    await this.broadcaster.to(ROOM).emit('created', placed);
    return placed;
  }

  /** From placed to packed, from packed to shipped. */
  async advance(no: number): Promise<Order> {
    const order = this.orders.get(no);
    if (order === undefined) throw new NotFoundException(`There is no order ${no}`);
    const status = STATUSES[STATUSES.indexOf(order.status) + 1];
    if (status === undefined) throw new ConflictException(`Order ${no} is ${order.status}`);
    const changed: Order = { ...order, status, revision: ++this.lastRevision };
    this.orders.set(no, changed);
    await this.broadcaster.to(ROOM).emit('changed', changed);
    return changed;
  }

  async setOpen(isOpen: boolean): Promise<Shop> {
    this.shopIsOpen = isOpen;
    const shop: Shop = { isOpen, revision: ++this.lastRevision };
    await this.broadcaster.to(ROOM).emit('shop', shop);
    return shop;
  }

  private store({ item, amount }: NewOrder, status: OrderStatus): Order {
    const order: Order = {
      no: ++this.lastNo,
      item,
      amount,
      status,
      revision: ++this.lastRevision,
    };
    this.orders.set(order.no, order);
    this.forgetOldest();
    return order;
  }

  private forgetOldest(): void {
    if (this.orders.size <= MAX_ORDERS) return;
    const oldest = [...this.orders.values()].find(({ status }) => status === 'shipped');
    if (oldest !== undefined) this.orders.delete(oldest.no);
  }
}
