import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { IncomingMessage } from 'node:http';
import * as rules from '../options/rules.js';

/**
 * A request as Node gives it; `auth` is what a middleware of the SDK has found out.
 * @publicApi
 */
export type McpRequest = IncomingMessage & { auth?: AuthInfo };

/**
 * An `McpServer` or a `Server` of the SDK.
 * @publicApi
 */
export interface McpServerLike {
  /** Begins to serve the client of a transport. */
  connect(transport: Transport): Promise<void>;
  /** Ends serving. */
  close(): Promise<void>;
}

/**
 * The session that a server is made for.
 * @publicApi
 */
export interface McpSession {
  /** The id that the client sends as `Mcp-Session-Id`. */
  readonly id: string;
  /** What the option `user` has returned for the request that began the session. */
  readonly user: string | undefined;
}

/**
 * The options of `McpSessions`.
 * @publicApi
 */
export interface McpSessionsOptions {
  /**
   * Makes the server of a session, such as an `McpServer` with its tools, not connected yet. Called
   * when a session begins, and again in another process if its own has ended.
   */
  createServer: (session: McpSession) => McpServerLike | Promise<McpServerLike>;
  /**
   * Names the user of a request. A session then answers its user only, and anybody else gets 404.
   * @default none: whoever has the session's id may use it
   */
  user?: (request: McpRequest) => string | undefined;
  /**
   * After how long without a request and without an open stream a session ends, in milliseconds.
   * @default 1_800_000
   */
  idleMs?: number;
  /**
   * The time after which clients reconnect, in milliseconds. `false`: theirs.
   * @default 2_000
   */
  retryMs?: number | false;
  /**
   * The time between comments on a silent stream, in milliseconds. `false`: none.
   * @default 15_000
   */
  keepAliveMs?: number | false;
  /**
   * The beginning of the names of the rooms: at most 100 characters. All processes need the same.
   * @default 'mcp'
   */
  prefix?: string;
}

/** The defaults of the options of this entry point. */
export const MCP_DEFAULTS = Object.freeze({
  idleMs: 1_800_000,
  retryMs: 2_000,
  keepAliveMs: 15_000,
  prefix: 'mcp',
});

export const checkPrefix = rules.rule(
  'a text of 1 to 100 characters',
  (value) => typeof value === 'string' && value !== '' && value.length <= 100,
);

/** @throws SseOptionsError */
export const checkSessionsOptions = rules.required(
  rules.object({
    createServer: rules.required(rules.aFunction),
    user: rules.aFunction,
    idleMs: rules.durationMs,
    retryMs: rules.orFalse(rules.durationMs),
    keepAliveMs: rules.orFalse(rules.durationMs),
    prefix: checkPrefix,
  }),
);
