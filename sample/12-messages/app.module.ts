import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { MessagesController } from './messages.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [MessagesController],
})
export class AppModule {}
