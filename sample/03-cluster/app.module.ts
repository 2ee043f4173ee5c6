import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { OrdersController } from '../02-orders/orders.controller.js';
import { OrdersService } from '../02-orders/orders.service.js';
import { inspector } from '../shared/inspector.js';
import { ClusterService } from './cluster.service.js';
import { sharedOrders } from './events.js';
import { KillController } from './kill.controller.js';
import { IS_DURABLE, PREFIX, REDIS_URL } from './redis.js';
import { SharedEventsController } from './shared-events.controller.js';
import { SharedOrdersService } from './shared-orders.service.js';
import { SharedSimulatorService } from './shared-simulator.service.js';
import { ShopStore } from './shop-store.js';

@Module({
  imports: [
    SseModule.forRoot({
      contract: sharedOrders,
      log: redisEventLog({ url: REDIS_URL, prefix: PREFIX, durable: IS_DURABLE }),
      // Sooner than by default, for those who watch it.
      retry: { minMs: 500, maxMs: 1_500 },
    }),
    inspector,
  ],
  controllers: [SharedEventsController, OrdersController, KillController],
  providers: [
    ClusterService,
    ShopStore,
    SharedOrdersService,
    { provide: OrdersService, useExisting: SharedOrdersService },
    SharedSimulatorService,
  ],
})
export class AppModule {}
