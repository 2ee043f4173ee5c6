import { Controller, Param } from '@nestjs/common';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { OneOfPipe } from '../shared/one-of.pipe.js';
import { SYMBOLS, type StockEvents } from './market.service.js';

/** So many prices are drawn; a newcomer gets them at once. */
const DRAWN = 60;

@Controller('stocks')
export class StocksController {
  constructor(private readonly broadcaster: Broadcaster<StockEvents>) {}

  @SseStream(':symbol')
  prices(@Param('symbol', new OneOfPipe('symbol', SYMBOLS)) symbol: string) {
    return this.broadcaster.stream(symbol, { rewind: DRAWN });
  }
}
