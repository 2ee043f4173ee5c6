import { Module } from '@nestjs/common';
import { EventsController } from './events.controller.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { SimulatorService } from './simulator.service.js';

@Module({
  controllers: [EventsController, OrdersController],
  providers: [OrdersService, SimulatorService],
})
export class OrdersModule {}
