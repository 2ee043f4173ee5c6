import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { inspector } from '../shared/inspector.js';
import { orders } from './events.js';
import { OrdersModule } from './orders.module.js';

@Module({ imports: [SseModule.forRoot({ contract: orders }), OrdersModule, inspector] })
export class AppModule {}
