import { Module, type DynamicModule } from '@nestjs/common';
import { inspectorControllers } from './inspector.controller.js';
import {
  checkInspectorOptions,
  INSPECTOR_OPTIONS,
  type SseInspectorOptions,
} from './inspector.options.js';
import { Inspector } from './inspector.js';

/**
 * Serves a page that shows the streams of all processes live, and can close connections and rooms.
 * Import it next to `SseModule.forRoot()`. Its guard decides who may use it.
 * @example `@Module({ imports: [SseModule.forRoot(), SseInspectorModule.forRoot({ guard: AdminGuard })] })`
 * @publicApi
 */
@Module({})
export class SseInspectorModule {
  /** @throws SseOptionsError if `guard` is missing or an option is wrong */
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
