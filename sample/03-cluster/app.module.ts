import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { inspector } from '../shared/inspector.js';
import { ClusterService } from './cluster.service.js';
import { KillController } from './kill.controller.js';
import { IS_DURABLE, PREFIX, REDIS_URL } from './redis.js';
import { SharedOrdersController } from './shared-orders.controller.js';
import { SharedOrdersService } from './shared-orders.service.js';
import { SharedSimulatorService } from './shared-simulator.service.js';
import { ShopStore } from './shop-store.js';

@Module({
  imports: [
    SseModule.forRoot({
      log: redisEventLog({ url: REDIS_URL, prefix: PREFIX, durable: IS_DURABLE }),
      // Sooner than by default, for those who watch it.
      retry: { minMs: 500, maxMs: 1_500 },
    }),
    inspector,
  ],
  controllers: [SharedOrdersController, KillController],
  providers: [ClusterService, ShopStore, SharedOrdersService, SharedSimulatorService],
})
export class AppModule {}
