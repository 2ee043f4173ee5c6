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
 * Registers metrics of this app's streams and hubs in a registry of `prom-client`, from the start
 * of the app until it has shut down. The app serves them itself.
 * @throws Error of prom-client at start-up, if the registry already has a metric of the same name,
 * or `prefix` is not valid in a name
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

  /** Import it next to `SseModule.forRoot()`. All options have defaults. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Starts counting. */
  onModuleInit(): void {
    this.stop = collectMetrics(this.connections, this.hubs, this.options);
  }

  /** Not earlier, so that streams that the shutdown ends are counted too. */
  onApplicationShutdown(): void {
    this.stop?.();
  }
}
