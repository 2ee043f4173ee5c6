import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { DemoController } from './demo.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [DemoController],
})
export class AppModule {}
