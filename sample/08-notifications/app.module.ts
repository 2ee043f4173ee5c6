import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { NotificationsController } from './notifications.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [NotificationsController],
})
export class AppModule {}
