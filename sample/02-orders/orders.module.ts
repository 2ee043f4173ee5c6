import { Module } from '@nestjs/common';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { SimulatorService } from './simulator.service.js';

@Module({ controllers: [OrdersController], providers: [OrdersService, SimulatorService] })
export class OrdersModule {}
