import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as rules from '../option-rules.js';

/**
 * The options of `SseInspectorModule.forRoot()`.
 * @publicApi
 */
export interface SseInspectorOptions {
  /**
   * Decides on every request to the inspector: whom it lets in sees and may close every connection. Browsers send it cookies
   * and HTTP authentication, but no header of your own.
   */
  guard: Type<CanActivate> | CanActivate;
  /**
   * Where the page is, behind the app's global prefix.
   * @default 'sse-inspector'
   */
  path?: string;
  /** Modules that have what the guard injects, unless they are global. */
  imports?: NonNullable<ModuleMetadata['imports']>;
}

/** @throws SseOptionsError */
export const checkInspectorOptions = rules.required(
  rules.object({
    guard: rules.required(rules.aGuard),
    path: rules.aText,
    imports: rules.aList,
  }),
);
