import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { SseRunsModule } from 'nestjs-eventstream/runs';
import { AnswersModule } from './answers.module.js';

@Module({ imports: [SseModule.forRoot(), SseRunsModule.forRoot(), AnswersModule] })
export class AppModule {}
