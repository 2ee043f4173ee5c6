import * as rules from '../options/rules.js';
import type { HttpRequest } from '../output/request.js';
import type { Identify } from './identify.js';

/**
 * Limits of one process. New connections above a limit are refused; open streams stay. By default
 * only the limits of one event are set.
 * @publicApi
 */
export interface LimitsOptions {
  /**
   * The maximum number of connections of this process.
   * @default no limit
   */
  maxConnections?: number;
  /**
   * The maximum number of connections with the same `key`.
   * @default no limit
   */
  maxPerKey?: number;
  /**
   * Identifies the client of a request, for `maxPerKey` and `connectRate`. Called after guards.
   * @default the client's address; behind a proxy, set `trust proxy` of the platform
   */
  key?(request: HttpRequest): string;
  /**
   * The maximum number of streams that read the same room.
   * @default no limit
   */
  maxPerRoom?: number;
  /**
   * New connections with the same `key`: `perSecond` on average, and at most `burst` at once. By
   * default `burst` equals `perSecond`, and is at least 1.
   * @default no limit
   */
  connectRate?: { perSecond: number; burst?: number };
  /**
   * The maximum number of rooms that one connection reads in all its hub streams. More are answered
   * 400.
   * @default no limit
   */
  maxRoomsPerConnection?: number;
  /**
   * The maximum size of one hub event on the wire, in bytes. `emit()` rejects a larger one with
   * `SSE_LIMIT`. `false`: no limit.
   * @default 1_048_576
   */
  maxEventBytes?: number | false;
  /**
   * The maximum number of rooms of one event. `emit()` rejects more with `SSE_LIMIT`. On Redis one
   * script writes to all rooms, which takes about half a second for the default. `false`: no limit.
   * @default 20_000
   */
  maxRoomsPerEvent?: number | false;
}

/**
 * How streams end when the app shuts down.
 * @publicApi
 */
export interface ShutdownOptions {
  /**
   * How long `app.close()` may take to end all streams, in milliseconds. `0` ends them at once.
   *
   * Streams end one by one in random order over the first four fifths of this time, or faster if
   * they are few (one per 10 ms). Each client gets its own reconnection time. Finally the sockets
   * of clients that have not read the end of their stream are destroyed.
   * @default 5_000
   */
  timeoutMs?: number;
}

/** The module options for connections. */
export interface ConnectionsOptions {
  /** How streams end when the app shuts down. */
  shutdown?: ShutdownOptions;
  /** Limits of this process. */
  limits?: LimitsOptions;
  /**
   * Says whose a connection is, for `SseConnection.identity`, `Broadcaster.toUser()` and the option
   * `except` of `emit()`. Processes that only publish need it too.
   * @default none: connections have no identity
   */
  identify?: Identify;
}

/** The defaults of these options. */
export const CONNECTIONS_DEFAULTS = Object.freeze({
  shutdown: Object.freeze({ timeoutMs: 5_000 }),
  limits: Object.freeze({ maxEventBytes: 1_048_576, maxRoomsPerEvent: 20_000 }),
});

export const CONNECTIONS_RULES = {
  identify: rules.aFunction,
  shutdown: rules.object({ timeoutMs: rules.durationMsOrZero }),
  limits: rules.object({
    maxConnections: rules.positiveInteger,
    maxPerKey: rules.positiveInteger,
    key: rules.aFunction,
    maxPerRoom: rules.positiveInteger,
    connectRate: rules.object({
      perSecond: rules.required(rules.positiveNumber),
      burst: rules.positiveInteger,
    }),
    maxRoomsPerConnection: rules.positiveInteger,
    maxEventBytes: rules.orFalse(rules.positiveInteger),
    maxRoomsPerEvent: rules.orFalse(rules.positiveInteger),
  }),
};
