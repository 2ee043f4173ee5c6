import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { ReadingsController } from './readings.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [ReadingsController],
})
export class AppModule {}
