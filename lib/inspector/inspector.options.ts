import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import * as rules from '../options/rules.js';
import type { FactsOption } from './facts.js';

/** The token of the options of `SseInspectorModule.forRoot()`. */
export const INSPECTOR_OPTIONS = Symbol('nestjs-eventstream:inspector-options');

/**
 * The options of `SseInspectorModule.forRoot()`.
 * @publicApi
 */
export interface SseInspectorOptions {
  /**
   * Guards every request to the inspector. Whoever it admits can see and close every connection.
   * The page sends cookies and HTTP authentication, and with `signIn` a bearer token.
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
   * Facts that the page shows and searches, to tell whose a connection is. At most 10 of each
   * connection; long texts are cut. `connection.data` may hold secrets, so the default shows no
   * other property. `false`: no facts.
   * @default `user` and `userId` of `connection.data`, if they are texts, numbers or booleans;
   * `user` else of `connection.identity`
   * @example `facts: ({ data }) => ({ user: String(data['user']), tenant: Number(data['tenant']) })`
   */
  facts?: FactsOption;
  /**
   * Whether the page can send a test event to a room. All readers of the room get it.
   * @default true
   */
  testEvents?: boolean;
  /**
   * `'bearer'`: the page asks for a token, and sends it as `Authorization: Bearer` with each of its
   * requests. The page itself is then served without the guard. It holds no data.
   * @default none: the browser sends cookies or HTTP authentication
   */
  signIn?: 'bearer';
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
    facts: rules.orFalse(rules.aFunction),
    testEvents: rules.trueOrFalse,
    signIn: rules.oneOf('bearer'),
  }),
);
