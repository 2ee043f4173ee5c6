import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Broadcaster } from 'nestjs-eventstream';
import { concatMap, timer, type Subscription } from 'rxjs';

const INTERVAL_MS = 500;

export const SYMBOLS = ['ACME', 'GLOBEX', 'INITECH', 'UMBRA'] as const;

export interface StockEvents {
  price_update: { symbol: string; price: number; time: string };
}

/** Makes up prices, and sends each where it is made: a room for each stock. */
@Injectable()
export class MarketService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly prices = new Map<string, number>(SYMBOLS.map((symbol) => [symbol, 100]));
  private trading: Subscription | undefined;

  constructor(private readonly broadcaster: Broadcaster<StockEvents>) {}

  onApplicationBootstrap(): void {
    this.trading = timer(0, INTERVAL_MS)
      .pipe(concatMap(() => Promise.all(SYMBOLS.map((symbol) => this.trade(symbol)))))
      .subscribe();
  }

  onModuleDestroy(): void {
    this.trading?.unsubscribe();
  }

  private trade(symbol: string): Promise<string> {
    const change = 1 + (Math.random() - 0.5) / 50;
    const price = Number(((this.prices.get(symbol) ?? 100) * change).toFixed(2));
    this.prices.set(symbol, price);
    const time = new Date().toISOString();
    return this.broadcaster.to(symbol).emit('price_update', { symbol, price, time });
  }
}
