import { Module } from '@nestjs/common';
import { DashboardController } from './dashboard.controller.js';
import { SamplerService } from './sampler.service.js';

@Module({ controllers: [DashboardController], providers: [SamplerService] })
export class DashboardModule {}
