import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [JobsController],
  providers: [JobsService],
})
export class AppModule {}
