import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Order } from './events.js';
import { OrdersService } from './orders.service.js';

const INTERVAL_MS = 900;

/** With fewer orders to do another one comes, with more none does. */
const [FEWEST, MOST] = [4, 9];

const ITEMS = [
  'Coffee beans, 1 kg',
  'Espresso beans, 500 g',
  'Hand grinder',
  'Filter papers',
  'Oat biscuits',
  'Stoneware mug',
  'Teapot, 1.2 l',
  'Green tea, 250 g',
  'Honey, 500 g',
  'Milk jug',
];

/** Customers and packers: something happens about once a second while the shop is open. */
@Injectable()
export class SimulatorService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(SimulatorService.name);
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly orders: OrdersService) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      if (!this.orders.isOpen) return;
      this.doSomething().catch((error: unknown) => this.logger.error(error));
    }, INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private doSomething(): Promise<Order> {
    // The oldest first, though not strictly in turn.
    const toDo = this.orders.list().filter(({ status }) => status !== 'shipped');
    const next = oneOf(toDo.slice(-FEWEST));
    const isNewWanted = toDo.length < FEWEST || (toDo.length < MOST && Math.random() < 0.4);
    return next === undefined || isNewWanted
      ? this.orders.place({ item: oneOf(ITEMS)!, amount: 1 + Math.floor(Math.random() * 4) })
      : this.orders.advance(next.no);
  }
}

function oneOf<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
