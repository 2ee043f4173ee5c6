import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import {
  SSE_DEFAULTS,
  SseModule,
  type SseModuleOptions,
  type SseOptionsFactory,
} from 'nestjs-eventstream';

@Injectable()
class Config implements SseOptionsFactory {
  readonly retryMs: number = 3_000;

  createSseOptions(): SseModuleOptions {
    return { retry: this.retryMs };
  }
}

@Injectable()
class LaterConfig implements SseOptionsFactory {
  async createSseOptions(): Promise<SseModuleOptions> {
    return { onComplete: 'close' };
  }
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

export const modules: DynamicModule[] = [
  SseModule.forRoot(),
  SseModule.forRoot({}),
  SseModule.forRoot(SSE_DEFAULTS),
  SseModule.forRoot({ isGlobal: false, keepAlive: false, shutdown: { timeoutMs: 0 } }),
  SseModule.forRootAsync({ useFactory: () => ({ retry: 3_000 }) }),
  SseModule.forRootAsync({ useFactory: async () => ({ keepAlive: false as const }) }),
  SseModule.forRootAsync({
    imports: [ConfigModule],
    inject: [Config],
    useFactory: ({ retryMs }: Config) => ({ retry: retryMs }),
    isGlobal: false,
  }),
  SseModule.forRootAsync({ useClass: Config }),
  SseModule.forRootAsync({ useClass: LaterConfig }),
  SseModule.forRootAsync({ imports: [ConfigModule], useExisting: Config }),
  SseModule.forFeature([{ name: 'orders' }, { name: 'prices', serialize: String }]),
];

export const wrong: DynamicModule[] = [
  // @ts-expect-error a misspelt option
  SseModule.forRoot({ keepalive: false }),
  // @ts-expect-error a misspelt option inside
  SseModule.forRoot({ keepAlive: { interval: 5 } }),
  // @ts-expect-error `map` belongs to a stream
  SseModule.forRoot({ map: { data: 'message' } }),
  // @ts-expect-error true is no interval
  SseModule.forRoot({ keepAlive: true }),
  // @ts-expect-error half a range
  SseModule.forRoot({ retry: { minMs: 1 } }),
  // @ts-expect-error a wrong option from a factory
  SseModule.forRootAsync({ useFactory: () => ({ retry: '3000' }) }),
  // @ts-expect-error a class that makes no options
  SseModule.forRootAsync({ useClass: ConfigModule }),
  // @ts-expect-error a hub has a name
  SseModule.forFeature([{ serialize: String }]),
];

// @ts-expect-error the defaults cannot be changed
SSE_DEFAULTS.keepAlive.intervalMs = 1;
