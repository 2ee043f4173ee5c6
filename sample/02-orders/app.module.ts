import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { inspector } from '../shared/inspector.js';
import { OrdersModule } from './orders.module.js';

@Module({ imports: [SseModule.forRoot(), OrdersModule, inspector] })
export class AppModule {}
