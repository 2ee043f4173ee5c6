import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { LifeController } from './life.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [LifeController],
})
export class AppModule {}
