import { Inject, Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import { Hubs } from '../hub/hubs.js';
import { Runs } from './runs.js';
import {
  checkRunsOptions,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type OPTIONS_TYPE,
  type SseRunsOptions,
} from './runs.options.js';
import { SseRuns } from './sse-runs.js';

/**
 * Provides `SseRuns`. Import it next to `SseModule.forRoot()`. When the app shuts down, the runs of
 * its process end with the state `lost`.
 * @throws SseOptionsError at start-up, for a wrong option
 * @example `@Module({ imports: [SseModule.forRoot(), SseRunsModule.forRoot()] }) export class AppModule {}`
 * @publicApi
 */
@Module({
  providers: [
    {
      provide: SseRuns,
      inject: [Hubs, MODULE_OPTIONS_TOKEN],
      useFactory: async (hubs: Hubs, options: SseRunsOptions): Promise<Runs> => {
        checkRunsOptions('', options);
        const { hub = 'runs', state, ...limits } = options;
        return new Runs(await hubs.open(hub, { history: {}, state }), limits);
      },
    },
  ],
  exports: [SseRuns],
})
export class SseRunsModule extends ConfigurableModuleClass implements OnModuleDestroy {
  constructor(@Inject(SseRuns) private readonly runs: Runs) {
    super();
  }

  /** All options have defaults. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Before the streams drain and the hubs close, so that readers get the ends. */
  async onModuleDestroy(): Promise<void> {
    await this.runs.close();
  }
}
