import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-eventstream';
import { MarketService } from './market.service.js';
import { StocksController } from './stocks.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [StocksController],
  providers: [MarketService],
})
export class AppModule {}
