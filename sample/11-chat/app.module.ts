import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { ChatController } from './chat.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [ChatController],
})
export class AppModule {}
