import { Module, type DynamicModule } from '@nestjs/common';
import { inspectorController } from './inspector.controller.js';
import { checkInspectorOptions, type SseInspectorOptions } from './inspector.options.js';
import { Inspector } from './inspector.js';

/**
 * A page that shows the streams of this process live, and closes connections and rooms. It is there
 * where it is imported, beside `SseModule.forRoot()`, and only for those whom its guard lets in.
 * @example `@Module({ imports: [SseModule.forRoot(), SseInspectorModule.forRoot({ guard: AdminGuard })] })`
 * @publicApi
 */
@Module({})
export class SseInspectorModule {
  /** @throws SseOptionsError without a guard, or for a wrong option, at once */
  static forRoot(options: SseInspectorOptions): DynamicModule {
    checkInspectorOptions('SseInspectorModule.forRoot()', options);
    return {
      module: SseInspectorModule,
      imports: options.imports ?? [],
      controllers: [inspectorController(options)],
      providers: [Inspector],
    };
  }
}
