import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Broadcaster } from 'nestjs-eventstream';
import { ROOM, type Order, type OrderEvents, type Shop } from '../02-orders/events.js';
import { OrdersService } from '../02-orders/orders.service.js';
import type { Step } from '../02-orders/shop.js';
import { ShopStore } from './shop-store.js';

/**
 * The orders of all processes: their state is in Redis, and beside it the changes that have not
 * been told yet. Whichever process finds some tells them, oldest first. Where two do, or one was
 * killed in the middle, a change is published again: `key` makes it the same event.
 */
@Injectable()
export class SharedOrdersService extends OrdersService implements OnModuleInit {
  private lastTold = 0;

  constructor(
    broadcaster: Broadcaster<OrderEvents>,
    private readonly store: ShopStore,
  ) {
    super(broadcaster);
  }

  /** What this process has given to its clients. It knows that also while Redis is away. */
  override get revision(): number {
    return this.lastTold;
  }

  async onModuleInit(): Promise<void> {
    this.broadcaster.stream(ROOM, { lastEventId: false }).subscribe(({ data }) => {
      this.lastTold = data.revision;
    });
    await this.store.connect();
    const { revision, pending } = await this.store.read();
    this.lastTold = Math.max(this.lastTold, revision - pending.length);
  }

  override async change<Data extends Order | Shop>(step: Step<Data>): Promise<Data> {
    const { shop, change } = await this.store.change(step);
    this.shop = shop;
    // Where Redis goes away in between, a later turn tells it, of this process or of another.
    await this.publishPending().catch(() => {});
    return change.data;
  }

  /**
   * @throws SseError `SSE_LOG_UNAVAILABLE`, ServiceUnavailableException: to be tried again, until
   * all are accepted
   */
  async publishPending(): Promise<void> {
    const { pending } = await this.read();
    for (const { type, data } of pending) {
      await this.broadcaster.to(ROOM).emit(type, data, { key: `revision ${data.revision}` });
      await this.store.told(data.revision);
    }
  }

  protected override async read() {
    const shop = await this.store.read();
    this.shop = shop;
    return shop;
  }
}
