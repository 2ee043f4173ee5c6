import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { Registry } from '../connection/registry.js';
import { SseConnections } from '../connection/sse-connections.js';
import { Hubs } from '../hub/hubs.js';
import { collectMetrics } from './metrics.js';
import {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
  type SsePrometheusOptions,
} from './prometheus.options.js';

/**
 * Metrics of the streams and hubs of this app for Prometheus, in a registry of `prom-client`;
 * serving them is up to the app. They are there from the start of the app until it has shut down.
 * @throws Error at start-up, of prom-client: a metric of the same name is in the registry, or
 * `prefix` makes no valid name
 * @example `@Module({ imports: [SseModule.forRoot(), SsePrometheusModule.forRoot()] }) export class AppModule {}`
 * @publicApi
 */
@Module({})
export class SsePrometheusModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationShutdown
{
  private stop: (() => void) | undefined;

  constructor(
    @Inject(SseConnections) private readonly connections: Registry,
    private readonly hubs: Hubs,
    @Inject(MODULE_OPTIONS_TOKEN) private readonly options: SsePrometheusOptions,
  ) {
    super();
  }

  /** All options have defaults. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Begins to count. */
  onModuleInit(): void {
    this.stop = collectMetrics(this.connections, this.hubs, this.options);
  }

  /** Here and not earlier: streams that the shutdown ends are counted too. */
  onApplicationShutdown(): void {
    this.stop?.();
  }
}
