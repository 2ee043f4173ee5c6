import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { SamplesController } from './samples.controller.js';
import { SamplesService } from './samples.service.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [SamplesController],
  providers: [SamplesService],
})
export class AppModule {}
