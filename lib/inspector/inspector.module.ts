import { Module, type DynamicModule } from '@nestjs/common';
import { inspectorControllers } from './inspector.controller.js';
import {
  checkInspectorOptions,
  INSPECTOR_OPTIONS,
  type SseInspectorOptions,
} from './inspector.options.js';
import { Inspector } from './inspector.js';

/**
 * A page that shows the streams of all processes live, and closes connections and rooms. It exists
 * only if it is imported, beside `SseModule.forRoot()`, and only for those whom its guard lets in.
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
      controllers: inspectorControllers(options),
      providers: [Inspector, { provide: INSPECTOR_OPTIONS, useValue: options }],
    };
  }
}
