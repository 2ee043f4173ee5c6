import type { Server } from 'node:http';
import {
  Inject,
  Logger,
  Module,
  Optional,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { Broadcaster, getBroadcasterToken } from '../hub/broadcaster.js';
import { Registry } from '../connection/registry.js';
import { SseConnections } from '../connection/sse-connections.js';
import { SseOptionsError } from '../ground/errors.js';
import { SseHealth } from './health.js';
import { SseInterceptor } from './sse.interceptor.js';
import { RouteInterceptors } from './route-interceptors.js';
import { hubOf } from '../hub/hub.js';
import { Hubs } from '../hub/hubs.js';
import { checkFeatures, type SseFeature } from '../hub/hub.options.js';
import {
  checkModuleOptions,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
  type SseModuleOptions,
} from './module.options.js';
import { CONNECTIONS_DEFAULTS } from '../connection/connections.options.js';
import { SSE_OPTIONS } from '../options/token.js';
import { describeContracts } from './contract-documents.js';
import { checkAreSync } from '../schema/contract.js';
import { checkStreamRoutes, streamRoutes, type StreamRoute } from './stream-routes.js';
import { shapeRequests } from '../output/express-shape.js';
import { warnOfInterceptors } from '../ground/warnings.js';

/** The name of the default hub. `forFeature()` refuses it. */
const DEFAULT_HUB = '';

/** The options of a plain `imports: [SseModule]`. `forRoot()` replaces them. */
const NONE = Symbol('no options');

/** Provides the hubs of one `forFeature()`. */
@Module({})
class SseFeatureModule {}

/**
 * Provides what `@SseStream()` and `Broadcaster` need. The module is global unless you set
 * `isGlobal: false`.
 * @throws SseOptionsError at start-up, for a wrong option
 * @example `@Module({ imports: [SseModule.forRoot()] }) export class AppModule {}`
 * @publicApi
 */
@Module({
  providers: [
    {
      provide: Registry,
      inject: [Broadcaster, SSE_OPTIONS],
      useFactory: (broadcaster: Broadcaster, options: SseModuleOptions) =>
        new Registry(hubOf(broadcaster).control, options),
    },
    { provide: SseConnections, useExisting: Registry },
    SseHealth,
    Hubs,
    RouteInterceptors,
    { provide: MODULE_OPTIONS_TOKEN, useValue: NONE },
    {
      provide: SSE_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: SseModuleOptions | typeof NONE): SseModuleOptions => {
        if (options === NONE) {
          throw new SseOptionsError(
            'imports',
            'SseModule.forRoot() or forRootAsync()',
            'SseModule',
          );
        }
        checkModuleOptions('', options);
        return options;
      },
    },
    {
      provide: Broadcaster,
      inject: [Hubs, SSE_OPTIONS],
      useFactory: (hubs: Hubs, { authorize, contract }: SseModuleOptions) =>
        hubs.open(DEFAULT_HUB, { authorize, contract }),
    },
  ],
  exports: [SseConnections, Registry, SseHealth, Broadcaster, Hubs, RouteInterceptors, SSE_OPTIONS],
})
export class SseModule
  extends ConfigurableModuleClass
  implements OnModuleInit, BeforeApplicationShutdown
{
  constructor(
    private readonly connections: Registry,
    private readonly hubs: Hubs,
    @Inject(SSE_OPTIONS) private readonly options: SseModuleOptions,
    private readonly modules: ModulesContainer,
    private readonly routes: RouteInterceptors,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Optional() private readonly adapterHost?: HttpAdapterHost,
  ) {
    super();
    describeContracts(streamRoutes(modules));
  }

  /** Import it once. The options apply to the default hub and to all streams. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * Registers further hubs for `@InjectBroadcaster(name)`, each with its own rooms and order. The
   * same name is the same hub in all modules.
   * @throws SseOptionsError for a wrong option; at start-up, if two modules give a hub different
   * options
   * @example `SseModule.forFeature([{ name: 'orders' }])`
   */
  static forFeature(features: readonly SseFeature[]): DynamicModule {
    checkFeatures(features);
    const providers: Provider[] = features.map(({ name, ...own }) => ({
      provide: getBroadcasterToken(name),
      inject: [{ token: Hubs, optional: true }],
      useFactory: (hubs?: Hubs) => {
        if (hubs !== undefined) return hubs.open(name, own);
        throw new SseOptionsError(
          `forFeature "${name}"`,
          'a global SseModule.forRoot() in the root module',
          'none',
        );
      },
    }));
    const exports = features.map(({ name }) => getBroadcasterToken(name));
    return { module: SseFeatureModule, providers, exports };
  }

  /** By now the app has bound its global interceptors. */
  async onModuleInit(): Promise<void> {
    this.warnOfSecondModule();
    this.shapeRequests();
    const routes = streamRoutes(this.modules);
    checkStreamRoutes(routes, this.config.getGlobalPrefix());
    await this.checkContracts(routes);
    warnOfInterceptors(this.routes.namesAroundStreams(SseInterceptor));
    this.hubs.makePlain(await this.routes.hubToPlain());
  }

  private async checkContracts(routes: readonly StreamRoute[]): Promise<void> {
    const contracts = new Set([
      ...this.hubs.contracts(),
      ...routes.map(({ contract }) => contract),
    ]);
    for (const contract of contracts) if (contract !== undefined) await checkAreSync(contract);
  }

  private shapeRequests(): void {
    const adapter = this.adapterHost?.httpAdapter;
    if (adapter?.getType() === 'express') shapeRequests(adapter.getHttpServer() as Server);
  }

  /** Nest treats two `forRoot()` as two modules, and an event of one does not reach the other. */
  private warnOfSecondModule(): void {
    const all = [...this.modules.values()].filter(({ metatype }) => metatype === SseModule);
    if (all.length === 1 || (all[0]?.instance as unknown) !== this) return;
    const effect = 'an event sent through one copy does not reach the streams of another';
    const remedy = 'Import it once, in the root module.';
    logger.warn(`SseModule.forRoot() is imported ${all.length} times, and ${effect}. ${remedy}`);
  }

  /** Not earlier, because the app may still publish in its own `onModuleDestroy()`. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.connections.drain(
      this.options.shutdown?.timeoutMs ?? CONNECTIONS_DEFAULTS.shutdown.timeoutMs,
    );
    await this.hubs.close();
  }
}

const logger = new Logger('Sse');
