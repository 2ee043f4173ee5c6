import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { LogsController } from './logs.controller.js';
import { LogWriter } from './log-writer.js';
import { LogsService } from './logs.service.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [LogsController],
  providers: [LogWriter, LogsService],
})
export class AppModule {}
