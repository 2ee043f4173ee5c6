import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { TimeController } from './time.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [TimeController],
})
export class AppModule {}
