import * as rules from '../options/rules.js';
import type { HttpRequest } from '../output/request.js';

/**
 * How much one process takes on. Newcomers are refused; open streams stay. Each limit counts for
 * this process alone, and none is set by default but those of one event.
 * @publicApi
 */
export interface LimitsOptions {
  /** Connections of this process. */
  maxConnections?: number;
  /** Connections with the same `key`. */
  maxPerKey?: number;
  /**
   * Who a request is from, for `maxPerKey` and `connectRate`; called after the guards.
   * @default the client's address: behind a proxy, tell the platform to trust it
   */
  key?(request: HttpRequest): string;
  /** Streams that read the same room. */
  maxPerRoom?: number;
  /**
   * New connections with the same `key`: so many per second on average, and at most `burst` at
   * once. `burst` is `perSecond` by default, and at least 1.
   */
  connectRate?: { perSecond: number; burst?: number };
  /** Rooms that one connection reads in all its hub streams. More are the client's error: 400. */
  maxRoomsPerConnection?: number;
  /**
   * Wire text of one event of a hub. A larger one is not published: `emit()` rejects with
   * `SSE_LIMIT`. Bytes. `false`: no limit.
   * @default 1_048_576
   */
  maxEventBytes?: number | false;
  /**
   * Rooms of one event. An event for more is not published: `emit()` rejects with `SSE_LIMIT`. On
   * Redis one script writes to all of them, in about half a second for the default. `false`: no
   * limit.
   * @default 20_000
   */
  maxRoomsPerEvent?: number | false;
}

/**
 * How streams end when the app does.
 * @publicApi
 */
export interface ShutdownOptions {
  /**
   * How long `app.close()` takes to end all streams: in random order, each with a reconnection time
   * of its own, over four fifths of it, but not slower than one each 10 ms. At its end, sockets of
   * clients that have not taken the end of their stream are destroyed. Milliseconds. `0`: at once.
   * @default 5_000
   */
  timeoutMs?: number;
}

/** What `SseConnections` takes of the module's options. */
export interface ConnectionsOptions {
  /** How streams end when the app does. */
  shutdown?: ShutdownOptions;
  /** How much this process takes on. */
  limits?: LimitsOptions;
}

/** What applies where nothing is set. */
export const CONNECTIONS_DEFAULTS = Object.freeze({
  shutdown: Object.freeze({ timeoutMs: 5_000 }),
  limits: Object.freeze({ maxEventBytes: 1_048_576, maxRoomsPerEvent: 20_000 }),
});

/** The rules of these options. */
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
