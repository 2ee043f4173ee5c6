import { Injectable } from '@nestjs/common';
import { Broadcaster, type PresenceOptions } from 'nestjs-eventstream';
import {
  ROOM,
  type NewOrder,
  type Order,
  type OrderEvents,
  type OrderMessage,
  type OrdersSnapshot,
  type Shop,
} from './events.js';
import { advance, openShop, place, setOpen, type ShopState, type Step } from './shop.js';

/**
 * The database of the shop, and what tells its changes. The change comes first and its event
 * second: a client that connects in between has the change in its snapshot. The other way round it
 * would have it nowhere.
 */
@Injectable()
export class OrdersService {
  protected shop = openShop();

  constructor(protected readonly broadcaster: Broadcaster<OrderEvents>) {}

  /** Up to which change everything is in the database. */
  get revision(): number {
    return this.shop.revision;
  }

  get isOpen(): boolean {
    return this.shop.isOpen;
  }

  /** Newest first. */
  list(): Order[] {
    return [...this.shop.orders];
  }

  /**
   * A new client gets the whole list and then its changes; a returning client gets the changes that
   * it missed.
   * @param presence where readers see each other
   */
  stream(presence?: PresenceOptions) {
    return this.broadcaster.stream(ROOM, {
      ...(presence && { presence }),
      snapshot: async (reason): Promise<OrderMessage[]> => [
        { type: 'orders', data: await this.snapshot(reason) },
      ],
    });
  }

  /** Everything, and the position in the stream from which on the changes go on. */
  async snapshot(reason: OrdersSnapshot['reason']): Promise<OrdersSnapshot> {
    // The cursor first: a change in between is then in the list and comes again. The other way
    // round it would be lost.
    const cursor = await this.broadcaster.position();
    const { isOpen, revision, orders } = await this.read();
    return { reason, cursor, revision, isOpen, orders: [...orders] };
  }

  place(order: NewOrder): Promise<Order> {
    return this.change(place(order));
  }

  advance(no: number): Promise<Order> {
    return this.change(advance(no));
  }

  setOpen(isOpen: boolean): Promise<Shop> {
    return this.change(setOpen(isOpen));
  }

  async change<Data extends Order | Shop>(step: Step<Data>): Promise<Data> {
    const { shop, change } = step(this.shop);
    this.shop = shop;
    await this.broadcaster.to(ROOM).emit(change.type, change.data);
    return change.data;
  }

  protected read(): ShopState | Promise<ShopState> {
    return this.shop;
  }
}
