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
   * Decides on every request to the inspector: whom it lets in sees and may close every connection.
   * Browsers send it cookies and HTTP authentication, and with `signIn` a bearer token.
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
  /**
   * Whom a connection belongs to: shown in the list, and searched. At most 10 facts; long texts are
   * cut. `connection.data` may hold secrets, so only these two of it are shown by default. `false`:
   * none.
   * @default `user` and `userId` of `connection.data`, if they are a text, a number or a boolean
   * @example `facts: ({ data }) => ({ user: String(data['user']), tenant: Number(data['tenant']) })`
   */
  facts?: FactsOption;
  /**
   * Whether the page can send a test event to a room. All readers of the room get it.
   * @default true
   */
  testEvents?: boolean;
  /**
   * `'bearer'`: the page asks for a token and sends it as `Authorization: Bearer` with each of its
   * requests. The page itself is then served without the guard: it holds no data.
   * @default off: the guard has to know the browser by a cookie or by HTTP authentication
   */
  signIn?: 'bearer';
  /** Modules that have what the guard injects, unless they are global. */
  imports?: NonNullable<ModuleMetadata['imports']>;
}

const guard = rules.rule(
  'a guard, such as `guard: AdminGuard`: whom it lets in sees and may close every connection',
  (value) => {
    const { prototype, canActivate } = Object(value) as Record<string, unknown>;
    return typeof (canActivate ?? Object(prototype).canActivate) === 'function';
  },
);
const hostNames = rules.rule(
  'a list of host names without a port, such as "admin.example.com" or ".example.com"',
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
