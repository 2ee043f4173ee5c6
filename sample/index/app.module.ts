import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { FilesController } from './files.controller.js';
import { FilesService } from './files.service.js';
import { SamplesController } from './samples.controller.js';
import { SamplesService } from './samples.service.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [SamplesController, FilesController],
  providers: [SamplesService, FilesService],
})
export class AppModule {}
