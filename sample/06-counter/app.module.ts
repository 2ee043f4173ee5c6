import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { CounterController } from './counter.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [CounterController],
})
export class AppModule {}
