import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { WeatherController } from './weather.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [WeatherController],
})
export class AppModule {}
