import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { PanelsController } from './panels.controller.js';
import { PanelsService } from './panels.service.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [PanelsController],
  providers: [PanelsService],
})
export class AppModule {}
