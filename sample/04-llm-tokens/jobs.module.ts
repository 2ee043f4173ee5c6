import { Module } from '@nestjs/common';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';
import { LocalModel } from './local-model.js';
import { Model } from './model.js';

@Module({
  controllers: [JobsController],
  providers: [JobsService, { provide: Model, useClass: LocalModel }],
})
export class JobsModule {}
