import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { OrdersModule } from './orders.module.js';

@Module({ imports: [SseModule.forRoot(), OrdersModule] })
export class AppModule {}
