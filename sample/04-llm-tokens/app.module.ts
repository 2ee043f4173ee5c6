import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { JobsModule } from './jobs.module.js';

@Module({ imports: [SseModule.forRoot(), JobsModule] })
export class AppModule {}
