import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as rules from '../options/rules.js';

/**
 * The options of `SseInspectorModule.forRoot()`.
 * @publicApi
 */
export interface SseInspectorOptions {
  /**
   * Decides on every request to the inspector: whom it lets in sees and may close every connection.
   * Browsers send it cookies and HTTP authentication, but no header of your own.
   */
  guard: Type<CanActivate> | CanActivate;
  /**
   * Where the page is, behind the app's global prefix.
   * @default 'sse-inspector'
   */
  path?: string;
  /**
   * The hosts under which the inspector answers, such as `['admin.example.com']`; `.example.com`
   * stands for `example.com` and all below it. `localhost` and addresses are always among them.
   * Needed where the guard decides by the client's address: a page of any site could bend its own
   * name to this process (DNS rebinding) and read and close as if it were the inspector's.
   * @default any host
   */
  allowedHosts?: readonly string[];
  /** Modules that have what the guard injects, unless they are global. */
  imports?: NonNullable<ModuleMetadata['imports']>;
}

const guard = rules.rule(
  'a guard, such as `guard: AdminGuard`, because whoever it admits can see and close every connection',
  (value) => {
    const { prototype, canActivate } = Object(value) as Record<string, unknown>;
    return typeof (canActivate ?? Object(prototype).canActivate) === 'function';
  },
);
const hostNames = rules.rule(
  'an array of host names without a port, such as "admin.example.com" or ".example.com"',
  (value) =>
    Array.isArray(value) &&
    value.every((name) => typeof name === 'string' && /^\.?[^\s.:/][^\s:/]*$/.test(name)),
);

/** @throws SseOptionsError */
export const checkInspectorOptions = rules.required(
  rules.object({
    guard: rules.required(guard),
    path: rules.aText,
    imports: rules.aList,
    allowedHosts: hostNames,
  }),
);
