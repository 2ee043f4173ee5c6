import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Order } from './events.js';
import { OrdersService } from './orders.service.js';
import { advance, place, type Step } from './shop.js';

const INTERVAL_MS = 900;

/** With fewer orders to do another one comes, with more none does. */
const [FEWEST, MOST] = [4, 6];

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

  constructor(protected readonly orders: OrdersService) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.tick().catch((error: unknown) => this.logger.error(error));
    }, INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  protected async tick(): Promise<void> {
    if (this.orders.isOpen) await this.orders.change(doSomething);
  }
}

const doSomething: Step<Order> = (shop) => {
  // The oldest first, though not strictly in turn.
  const toDo = shop.orders.filter(({ status }) => status !== 'shipped');
  const next = oneOf(toDo.slice(-FEWEST));
  const isNewWanted = toDo.length < FEWEST || (toDo.length < MOST && Math.random() < 0.4);
  const step =
    next === undefined || isNewWanted
      ? place({ item: oneOf(ITEMS)!, amount: 1 + Math.floor(Math.random() * 4) })
      : advance(next.no);
  return step(shop);
};

function oneOf<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
