import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { RequestMethod } from '@nestjs/common';
import { SseOptionsError } from '../ground/errors.js';
import * as rules from '../options/rules.js';
import type { RetryRange } from '../options/retry.js';
import type { Overflow } from '../output/backlog.js';
import { isEventStreamType } from '../output/stream-headers.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import { KEEP_ALIVE_MS } from '../wire/protocol.js';
import type { SseConnection } from './sse-connection.js';

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
   * What happens beyond that. `disconnect` ends the connection, with the reason `overflow`; the
   * client comes back and gets what it missed. `drop-oldest` and `drop-newest` leave events out.
   * `conflate` keeps only the latest event of each `key` as soon as events wait, and beyond the
   * limit leaves out the oldest. What is left out is told by `sse-gap`.
   * @default 'disconnect'
   */
  overflow?: Overflow;
  /**
   * Which events stand for each other, for `overflow: 'conflate'`.
   * @default the type of the event
   */
  key?: (message: SseMessage) => string;
  /**
   * How long a client may take nothing of the backlog for it before its socket is destroyed, with
   * the reason `stall`. Milliseconds. `false` switches it off.
   * @default 15_000
   */
  stallTimeoutMs?: number | false;
}

/**
 * Which properties of an emitted object are which fields. Without `data` the whole object is the
 * data.
 * @example `map: { data: 'message', type: 'kind', id: 'id', retry: 'retryMs' }`
 * @publicApi
 */
export interface SseMap {
  data?: string;
  type?: string;
  id?: string;
  retry?: string;
}

/**
 * What a stream does; set for all streams in `SseModule.forRoot()` or for one in `@SseStream()`,
 * which wins.
 * @publicApi
 */
export interface StreamOptions {
  /** Comments on an idle connection. `false` switches them off. */
  keepAlive?: KeepAliveOptions | false;
  /**
   * When browsers come back after the stream has ended: milliseconds, or a range from which each
   * connection draws its own, so that they do not all return at once. `false` leaves it to the
   * browser.
   * @default { minMs: 2_000, maxMs: 5_000 }
   */
  retry?: number | RetryRange | false;
  /**
   * Further response headers. They win over the library's own and the app's. `Content-Type` may add
   * a `charset` to `text/event-stream`. Another type, and headers that frame the body
   * (`Content-Length`, `Transfer-Encoding`), are refused at start-up.
   */
  headers?: Record<string, string>;
  /**
   * Text for data that is neither text nor bytes, instead of JSON. A hub's events keep the hub's
   * own.
   */
  serialize?: Serialize;
  /**
   * Called once for an error after the first byte. What it returns is the last message; nothing:
   * none. Without it the error is logged and the client gets `event: sse-error`, with the message
   * of an `HttpException` or a neutral one.
   */
  onError?: (error: unknown, connection: SseConnection) => SseMessage | undefined | void;
  /**
   * What follows the completion of the source. Browsers re-open a stream that has ended; with
   * `close` they are told by `event: sse-end`, and the reconnect that brings its id is answered
   * 204, which stops an `EventSource`.
   * @default 'end'
   */
  onComplete?: 'end' | 'close';
  /**
   * How long the head of a stream may wait for the source's first value or error, so that a refusal
   * that is found late still has its own status. Counts from the handler's return. Where it is not
   * set, the first value of an AsyncIterable and a `snapshot` are waited for; where it is, every
   * source is. Milliseconds. `false`: the stream opens at once.
   * @default 50
   */
  openWithinMs?: number | false;
  /** What happens to a client that reads too slowly. */
  backpressure?: BackpressureOptions;
  /**
   * After how long a stream is ended, with the reason `duration`, so that its client comes back,
   * past guards and perhaps to another process. Each stream draws its own from 80 to 100 % of it.
   * Milliseconds. `false`: never.
   * @default false
   */
  maxDurationMs?: number | false;
  /**
   * How a newcomer is refused, for want of a place or while the app ends. `retry`: 200, a
   * reconnection time, and the end; an `EventSource` comes back, which any other status would keep
   * it from for good. `status`: 503 (process, room, shutdown, log) or 429 (key, rate) with
   * `Retry-After`, for clients that use `fetch`.
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
   * Whether the handler may also answer without a stream: what it returns that is no Observable and
   * no AsyncIterable is sent as Nest sends it, as JSON, with the status that the handler has set.
   * Interceptors do not see it. A stream is still only for clients that accept one: the others get
   * 406. `acceptsEventStream()` tells a handler which of the two a client takes.
   * @default false: the handler only streams, and is not called for a client whose `Accept` header
   * leaves out `text/event-stream`: 406
   */
  negotiate?: boolean;
}

/** What applies where nothing is set. */
export const STREAM_DEFAULTS = Object.freeze({
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
});

/** Headers that say how the body is sent, which is not the app's to choose. */
const FRAMING = ['content-length', 'transfer-encoding'];

function streamHeaders(path: string, headers: unknown): void {
  rules.recordOf(rules.anyText)(path, headers);
  for (const [name, value] of Object.entries((headers ?? {}) as Record<string, string>)) {
    const option = `${path}.${name}`;
    checkText(option, name, value);
    if (FRAMING.includes(name.toLowerCase())) {
      throw new SseOptionsError(
        option,
        'this header to be left out, because the server frames the body',
        value,
      );
    }
    if (name.toLowerCase() === 'content-type' && !isEventStreamType(value)) {
      throw new SseOptionsError(option, 'text/event-stream, with or without a charset', value);
    }
  }
}

/** Node would refuse it with each request. */
function checkText(option: string, name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new SseOptionsError(option, 'a valid name and value of an HTTP header', value);
  }
}

/** Those that a module sets for all streams, too. */
export const STREAM_RULES = {
  keepAlive: rules.orFalse(rules.object({ intervalMs: rules.durationMs })),
  retry: rules.orFalse(rules.durationMsOrRange),
  headers: streamHeaders,
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
  negotiate: rules.trueOrFalse,
  map: rules.object({ data: rules.aText, type: rules.aText, id: rules.aText, retry: rules.aText }),
});
