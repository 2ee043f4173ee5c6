import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as rules from '../options/rules.js';

/**
 * The options of `SseInspectorModule.forRoot()`.
 * @publicApi
 */
export interface SseInspectorOptions {
  /**
   * Guards every request to the inspector. Whoever it admits can see and close every connection.
   * The page sends cookies and HTTP authentication, but no custom header.
   */
  guard: Type<CanActivate> | CanActivate;
  /**
   * The path of the page, after the app's global prefix.
   * @default 'sse-inspector'
   */
  path?: string;
  /**
   * The hosts for which the inspector answers, such as `['admin.example.com']`. `.example.com` also
   * matches all its subdomains. `localhost` and addresses are always allowed.
   *
   * Set it if the guard decides by the client's address. Otherwise a page of any site can point its
   * own name at this process (DNS rebinding), and use the inspector from an admitted browser.
   * @default any host
   */
  allowedHosts?: readonly string[];
  /**
   * Modules that provide the dependencies of the guard. Global modules are not needed here.
   * @default none
   */
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
