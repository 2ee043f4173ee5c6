import * as rules from '../options/rules.js';
import type { HttpRequest } from '../output/request.js';

/**
 * The load that one process accepts. New connections are refused; open streams stay. Each limit
 * applies to this process only. By default, only the limits of one event are set.
 * @publicApi
 */
export interface LimitsOptions {
  /** Connections of this process. */
  maxConnections?: number;
  /** Connections with the same `key`. */
  maxPerKey?: number;
  /**
   * Identifies the sender of a request, for `maxPerKey` and `connectRate`. Called after the guards.
   * @default the client's address; behind a proxy, set the platform to trust it
   */
  key?(request: HttpRequest): string;
  /** Streams that read the same room. */
  maxPerRoom?: number;
  /**
   * New connections with the same `key`: `perSecond` on average, and at most `burst` at once.
   * `burst` is `perSecond` by default, and at least 1.
   */
  connectRate?: { perSecond: number; burst?: number };
  /** Rooms that one connection reads in all its hub streams. A request for more gets a 400. */
  maxRoomsPerConnection?: number;
  /**
   * Wire text of one hub event. `emit()` rejects a larger one with `SSE_LIMIT`. Bytes. `false`: no
   * limit.
   * @default 1_048_576
   */
  maxEventBytes?: number | false;
  /**
   * Rooms of one event. `emit()` rejects an event for more with `SSE_LIMIT`. On Redis, one script
   * writes to all of them and takes about half a second for the default. `false`: no limit.
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
   * How long `app.close()` takes to end all streams: in random order, each with a new reconnection
   * time, over four fifths of it, but not slower than one per 10 ms. At the end, sockets whose
   * clients have not read the end of their stream are destroyed. Milliseconds. `0`: at once.
   * @default 5_000
   */
  timeoutMs?: number;
}

/** The module's options that concern `SseConnections`. */
export interface ConnectionsOptions {
  /** How streams end when the app shuts down. */
  shutdown?: ShutdownOptions;
  /** The load that this process accepts. */
  limits?: LimitsOptions;
}

export const CONNECTIONS_DEFAULTS = Object.freeze({
  shutdown: Object.freeze({ timeoutMs: 5_000 }),
  limits: Object.freeze({ maxEventBytes: 1_048_576, maxRoomsPerEvent: 20_000 }),
});

export const CONNECTIONS_RULES = {
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
