import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { SseError } from 'nestjs-eventstream';
import { SimulatorService } from '../02-orders/simulator.service.js';
import { SharedOrdersService } from './shared-orders.service.js';
import { ShopStore } from './shop-store.js';

/** One at a time, whichever process comes first. */
@Injectable()
export class SharedSimulatorService extends SimulatorService {
  constructor(
    protected override readonly orders: SharedOrdersService,
    private readonly store: ShopStore,
  ) {
    super(orders);
  }

  protected override async tick(): Promise<void> {
    try {
      await this.orders.publishPending();
      if (await this.store.takeTurn()) await super.tick();
    } catch (error) {
      // While Redis is away nothing happens. It may be back at the next turn.
      if (!isAway(error)) throw error;
    }
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof ServiceUnavailableException ||
    (error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE')
  );
}
