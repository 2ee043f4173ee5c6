import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { DashboardModule } from './dashboard.module.js';

@Module({ imports: [SseModule.forRoot(), DashboardModule] })
export class AppModule {}
