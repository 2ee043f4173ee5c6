import { ConfigurableModuleBuilder, type RequestMethod } from '@nestjs/common';
import type { Authorize } from './authorization.js';
import type { HubOptions } from './hub.options.js';
import type { Overflow } from './backlog.js';
import type { EventLogFactory, HistoryOptions } from './event-log.js';
import type { SseConnection } from './connection.js';
import type { HttpRequest } from './response.js';
import type { Serialize, SseMessage } from './frame.js';
import type { SseMap } from './message.js';
import * as rules from './option-rules.js';
import { KEEP_ALIVE_MS } from './protocol.js';

/**
 * The comments that keep an idle connection open.
 * @publicApi
 */
export interface KeepAliveOptions {
  /**
   * How long a connection may be idle before it gets a comment, so that proxies leave it open.
   * Milliseconds. `keepAlive: false` switches it off.
   * @default 15_000
   */
  intervalMs?: number;
}

/**
 * From where each connection draws its reconnection time.
 * @publicApi
 */
export interface RetryRange {
  /** Milliseconds. */
  minMs: number;
  /** Milliseconds. */
  maxMs: number;
}

/**
 * How much may wait for a client that reads too slowly, and what happens then.
 * @publicApi
 */
export interface BackpressureOptions {
  /**
   * How much may wait for a client that reads too slowly. Bytes.
   * @default 1_048_576
   */
  maxBufferedBytes?: number;
  /**
   * What happens beyond that. `disconnect` ends the connection, with the reason `overflow`; the client comes back and gets
   * what it missed. `drop-oldest` and `drop-newest` leave events out. `conflate` keeps only the latest event of each `key`
   * as soon as events wait, and beyond the limit leaves out the oldest. What is left out is told by `sse-gap`.
   * @default 'disconnect'
   */
  overflow?: Overflow;
  /**
   * Which events stand for each other, for `overflow: 'conflate'`.
   * @default the type of the event
   */
  key?: (message: SseMessage) => string;
  /**
   * How long a client may take nothing of what waits for it before its socket is destroyed, with the reason
   * `stall`. Milliseconds. `false` switches it off.
   * @default 15_000
   */
  stallTimeoutMs?: number | false;
}

/**
 * What a stream does; set for all streams in `SseModule.forRoot()` or for one in `@SseStream()`, which wins.
 * @publicApi
 */
export interface StreamOptions {
  /** Comments on an idle connection. `false` switches them off. */
  keepAlive?: KeepAliveOptions | false;
  /**
   * When browsers come back after the stream has ended: milliseconds, or a range from which each connection draws
   * its own, so that they do not all return at once. `false` leaves it to the browser.
   * @default { minMs: 2_000, maxMs: 5_000 }
   */
  retry?: number | RetryRange | false;
  /**
   * Further response headers; they win over the library's own and the app's, except for what frames the body. A `Content-Type` counts
   * if it is `text/event-stream`, with a `charset` or without.
   */
  headers?: Record<string, string>;
  /** Text for data that is neither text nor bytes, in place of JSON. A hub's events keep the hub's own. */
  serialize?: Serialize;
  /**
   * Called once for an error after the first byte. What it returns is the last message; nothing: none. Without it the
   * error is logged and the client gets `event: sse-error`, with the message of an `HttpException` or a neutral one.
   */
  onError?: (error: unknown, connection: SseConnection) => SseMessage | undefined | void;
  /**
   * What follows the completion of the source. Browsers re-open a stream that has ended; with `close` they are told
   * by `event: sse-end`, and the reconnect that brings its id is answered 204, which stops an `EventSource`.
   * @default 'end'
   */
  onComplete?: 'end' | 'close';
  /**
   * How long the head of a stream may wait for the source's first value or error, so that a refusal that is found late still has its
   * own status. Counts from the handler's return. Where it is not set, the first value of an AsyncIterable and a `snapshot` are
   * waited for; where it is, every source is. Milliseconds. `false`: the stream opens at once.
   * @default 50
   */
  openWithinMs?: number | false;
  /** What happens to a client that reads too slowly. */
  backpressure?: BackpressureOptions;
  /**
   * After how long a stream is ended, with the reason `duration`, so that its client comes back, past guards and perhaps to another
   * process. Each stream draws its own from 80 to 100 % of it. Milliseconds. `false`: never.
   * @default false
   */
  maxDurationMs?: number | false;
  /**
   * How a newcomer is refused, for want of a place or while the app ends. `retry`: 200, a reconnection time, and the end; an `EventSource`
   * comes back, which any other status would keep it from for good. `status`: 503 (process, room, shutdown, log) or 429 (key,
   * rate) with `Retry-After`, for clients that use `fetch`.
   * @default 'retry'
   */
  rejectWith?: 'retry' | 'status';
}

/**
 * The options of one stream.
 * @publicApi
 */
export interface SseStreamOptions extends StreamOptions {
  /**
   * The HTTP method of the route.
   * @default RequestMethod.GET
   */
  method?: RequestMethod;
  /** Which properties of an emitted object are which fields. */
  map?: SseMap;
  /**
   * Whether the handler may also answer without a stream: what it returns that is no Observable and no AsyncIterable is sent as Nest
   * sends it, as JSON, with the status that the handler has set. Interceptors do not see it. A stream is still only for clients that accept
   * one: the others get 406. `acceptsEventStream()` tells a handler which of the two a client takes.
   * @default false: the handler only streams, and is not called for a client whose `Accept` header leaves out `text/event-stream`: 406
   */
  negotiate?: boolean;
}

/**
 * How much one process takes on. Newcomers are refused; open streams stay. Each limit counts for this process alone, and none
 * is set by default but those of one event.
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
   * New connections with the same `key`: so many per second on average, and at most `burst` at once.
   * `burst` is `perSecond` by default, and at least 1.
   */
  connectRate?: { perSecond: number; burst?: number };
  /** Rooms that one connection reads in all its hub streams. More are the client's error: 400. */
  maxRoomsPerConnection?: number;
  /**
   * Wire text of one event of a hub. A larger one is not published: `emit()` rejects with `SSE_LIMIT`. Bytes. `false`: no limit.
   * @default 1_048_576
   */
  maxEventBytes?: number | false;
  /**
   * Rooms of one event. An event for more is not published: `emit()` rejects with `SSE_LIMIT`. On Redis one script writes to all of
   * them, in about half a second for the default. `false`: no limit.
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
   * How long `app.close()` takes to end all streams: in random order, each with a reconnection time of its own, over four fifths
   * of it, but not slower than one each 10 ms. At its end, sockets of clients that have not taken the end of their stream
   * are destroyed. Milliseconds. `0`: at once.
   * @default 5_000
   */
  timeoutMs?: number;
}

/**
 * The options of `SseModule.forRoot()`.
 * @publicApi
 */
export interface SseModuleOptions extends StreamOptions {
  /** How streams end when the app does. */
  shutdown?: ShutdownOptions;
  /** How much this process takes on. */
  limits?: LimitsOptions;
  /** What hubs keep for clients that return. `false`: nothing; a named hub may have its own. */
  history?: HistoryOptions | false;
  /** Who may read which rooms of the default hub; a named hub has its own. */
  authorize?: Authorize;
  /**
   * Makes the log of each hub.
   * @default a log in the memory of this process
   */
  log?: EventLogFactory;
}

/**
 * A further hub.
 * @publicApi
 */
export interface SseFeature extends HubOptions {
  /** What `@InjectBroadcaster(name)` asks for. */
  name: string;
}

/**
 * For `SseModule.forRootAsync({ useClass })` and `useExisting`.
 * @publicApi
 */
export interface SseOptionsFactory {
  /** Called once, at start-up. */
  createSseOptions(): SseModuleOptions | Promise<SseModuleOptions>;
}

/**
 * What applies where nothing is set.
 * @publicApi
 */
export const SSE_DEFAULTS = Object.freeze({
  keepAlive: Object.freeze({ intervalMs: KEEP_ALIVE_MS }),
  retry: Object.freeze({ minMs: 2_000, maxMs: 5_000 }),
  onComplete: 'end',
  openWithinMs: 50,
  backpressure: Object.freeze({
    maxBufferedBytes: 1_048_576,
    overflow: 'disconnect',
    stallTimeoutMs: 15_000,
  }),
  maxDurationMs: false,
  rejectWith: 'retry',
  shutdown: Object.freeze({ timeoutMs: 5_000 }),
  limits: Object.freeze({ maxEventBytes: 1_048_576, maxRoomsPerEvent: 20_000 }),
  history: Object.freeze({ maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 }),
}) satisfies SseModuleOptions;

const STREAM_RULES = {
  keepAlive: rules.orFalse(rules.object({ intervalMs: rules.durationMs })),
  retry: rules.orFalse(rules.durationMsOrRange),
  headers: rules.recordOf(rules.anyText),
  serialize: rules.aFunction,
  onError: rules.aFunction,
  onComplete: rules.oneOf('end', 'close'),
  openWithinMs: rules.orFalse(rules.durationMs),
  backpressure: rules.object({
    maxBufferedBytes: rules.positiveInteger,
    overflow: rules.oneOf('disconnect', 'drop-oldest', 'drop-newest', 'conflate'),
    key: rules.aFunction,
    stallTimeoutMs: rules.orFalse(rules.durationMs),
  }),
  maxDurationMs: rules.orFalse(rules.durationMs),
  rejectWith: rules.oneOf('retry', 'status'),
};

/** @throws SseOptionsError */
export const checkStreamOptions = rules.object({
  ...STREAM_RULES,
  method: rules.anyValue,
  negotiate: rules.aBoolean,
  map: rules.object({ data: rules.aText, type: rules.aText, id: rules.aText, retry: rules.aText }),
});

const HISTORY_RULE = rules.orFalse(
  rules.object({
    maxEvents: rules.positiveInteger,
    maxAgeMs: rules.durationMs,
    maxBytes: rules.positiveInteger,
  }),
);

/** @throws SseOptionsError */
export const checkModuleOptions = rules.required(
  rules.object({
    ...STREAM_RULES,
    history: HISTORY_RULE,
    log: rules.aFunction,
    authorize: rules.aFunction,
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
  }),
);

const checkFeature = rules.required(
  rules.object({
    name: rules.required(rules.aText),
    serialize: rules.aFunction,
    history: HISTORY_RULE,
    authorize: rules.aFunction,
  }),
);

/** @throws SseOptionsError */
export function checkFeatures(features: readonly unknown[]): void {
  rules.required(rules.aList)('forFeature()', features);
  features.forEach((feature, index) => checkFeature(`forFeature[${index}]`, feature));
}

/** The module's options, checked. */
export const SSE_OPTIONS = Symbol('nestjs-eventstream:options');

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseModuleOptions>({ moduleName: 'Sse' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseOptions')
    .setExtras({ isGlobal: true }, (module, { isGlobal }) => ({ ...module, global: isGlobal }))
    .build();
