import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { RequestMethod } from '@nestjs/common';
import { SseOptionsError } from '../ground/errors.js';
import * as rules from '../options/rules.js';
import type { RetryRange } from '../options/retry.js';
import { checkCompression, type CompressionOptions } from '../output/compression.options.js';
import { isEventStreamType } from '../output/stream-headers.js';
import type { Serialize, SseMessage } from '../wire/frame.js';
import { KEEP_ALIVE_MS } from '../wire/protocol.js';
import { checkBackpressure, type BackpressureOptions } from './backpressure.options.js';
import { checkControls, checkErrorWords, type ControlOptions } from './controls.options.js';
import { checkKeepAlive, type KeepAliveOptions } from './keep-alive.options.js';
import type { SseConnection } from './sse-connection.js';

/**
 * The properties of an emitted object that become the fields of a message. Without `data` the whole
 * object becomes the data.
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
 * Options of streams: for all streams in `SseModule.forRoot()`, or for one in `@SseStream()`, which
 * takes precedence.
 * @publicApi
 */
export interface StreamOptions {
  /** What keeps idle connections open. `false` switches it off. */
  keepAlive?: KeepAliveOptions | false;
  /**
   * The reconnection time of clients (`retry:`): milliseconds, or a range from which each
   * connection draws a random value, so that clients do not all reconnect at once. `false` leaves
   * it to the browser.
   * @default { minMs: 2_000, maxMs: 5_000 }
   */
  retry?: number | RetryRange | false;
  /**
   * Further response headers. They override those of the library and of the app. `Content-Type` may
   * add a `charset` to `text/event-stream`. Another type, `Content-Length` and `Transfer-Encoding`
   * are refused at start-up.
   * @default none
   */
  headers?: Record<string, string>;
  /**
   * Compresses streams with gzip for clients whose `Accept-Encoding` allows it. Events are
   * compressed once for all connections that read the same, and each is flushed at once. `true`
   * uses the defaults of `CompressionOptions`.
   *
   * Leave it off for a stream that carries a secret, such as a token, beside text that somebody
   * else can choose: an observer could guess the secret by the sizes of events (BREACH).
   * @default false
   */
  compression?: boolean | CompressionOptions;
  /**
   * Turns data that is neither text nor bytes into text. Events of a hub use the `serialize` of the
   * hub instead.
   * @default JSON
   */
  serialize?: Serialize;
  /**
   * Called for an error after the stream has begun. The message that it returns, if any, is sent
   * before the stream ends.
   * @default logs the error and sends `event: sse-error`, with the message of an `HttpException` or
   * a neutral one
   */
  onError?: (error: unknown, connection: SseConnection) => SseMessage | undefined | void;
  /**
   * What the stream says instead of its control events, for clients of another protocol. Set in
   * `@SseStream()`, each replaces that of the module; `error` also replaces its `onError`, and
   * `onError` its `controls.error`.
   * @default the events of this library, such as `sse-gap`
   */
  controls?: ControlOptions;
  /**
   * What happens when the source completes.
   * - `end`: the response ends. Browsers reconnect.
   * - `close`: the client gets `event: sse-end` first. An `EventSource` reconnects once more with
   *   the id of that event, and the 204 that it gets stops it.
   * @default 'end'
   */
  onComplete?: 'end' | 'close';
  /**
   * How long the response head waits for the first value or error of the source, in milliseconds
   * after the handler has returned. An error within this time still gets its own status. By default
   * only AsyncIterables and a `snapshot` are waited for; if you set it, every source is. `false`
   * opens the stream at once.
   * @default 50
   */
  openWithinMs?: number | false;
  /**
   * How long the events of a stream are collected before they are written together, in
   * milliseconds. The first event after a pause of this length is written at once, and so are the
   * opening, gaps, snapshots, replays and the end. `0` collects only the events of one turn of the
   * event loop.
   * @default 0
   */
  flushMs?: number;
  /** What happens to a client that reads too slowly. */
  backpressure?: BackpressureOptions;
  /**
   * Ends a stream after this time, with the reason `duration`, in milliseconds. The client
   * reconnects, passes the guards again, and may reach another process. Each stream ends at a
   * random 80 to 100 % of it. `false`: never.
   * @default false
   */
  maxDurationMs?: number | false;
  /**
   * How a connection is refused when a limit is reached, the log is unavailable or the app is
   * shutting down.
   * - `retry`: status 200 with a reconnection time and no event, because an `EventSource` never
   *   reconnects after another status.
   * - `status`: 503, or 429 for `maxPerKey` and `connectRate`, with `Retry-After`. For clients that
   *   use `fetch`.
   * @default 'retry'
   */
  rejectWith?: 'retry' | 'status';
}

/**
 * The options of `@SseStream()`.
 * @publicApi
 */
export interface SseStreamOptions extends StreamOptions {
  /**
   * The HTTP method of the route.
   * @default RequestMethod.GET
   */
  method?: RequestMethod;
  /** The properties of an emitted object that become the fields of a message. */
  map?: SseMap;
  /**
   * Whether the handler may also return a plain value, which is sent as JSON with the status that
   * the handler has set. Interceptors do not see that value. The handler can call
   * `acceptsEventStream()` to decide. A client that does not accept streams gets 406 for a stream.
   * @default false: the handler always streams. It is not called for a client whose `Accept` header
   * excludes `text/event-stream`, which gets 406
   */
  negotiate?: boolean;
  /**
   * Streams whatever the `Accept` header says, for clients that ask for JSON and read a stream, as
   * OpenAI's do.
   * @default false: 406 for a client whose `Accept` header excludes `text/event-stream`
   */
  ignoreAccept?: boolean;
}

/** The defaults of these options. */
export const STREAM_DEFAULTS = Object.freeze({
  keepAlive: Object.freeze({ intervalMs: KEEP_ALIVE_MS }),
  retry: Object.freeze({ minMs: 2_000, maxMs: 5_000 }),
  compression: false,
  onComplete: 'end',
  openWithinMs: 50,
  flushMs: 0,
  backpressure: Object.freeze({
    maxBufferedBytes: 1_048_576,
    overflow: 'disconnect',
    stallTimeoutMs: 15_000,
  }),
  maxDurationMs: false,
  rejectWith: 'retry',
});

/** Headers that frame the body. The server sets them. */
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

/** Checked at start-up, because Node would throw for each request. */
function checkText(option: string, name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new SseOptionsError(option, 'a valid name and value of an HTTP header', value);
  }
}

/** The rules of the options that a module can set for all streams. */
export const STREAM_RULES = {
  keepAlive: checkKeepAlive,
  retry: rules.orFalse(rules.durationMsOrRange),
  headers: streamHeaders,
  compression: checkCompression,
  serialize: rules.aFunction,
  onError: rules.aFunction,
  controls: checkControls,
  onComplete: rules.oneOf('end', 'close'),
  openWithinMs: rules.orFalse(rules.durationMs),
  flushMs: rules.durationMsOrZero,
  backpressure: checkBackpressure,
  maxDurationMs: rules.orFalse(rules.durationMs),
  rejectWith: rules.oneOf('retry', 'status'),
};

/** @throws SseOptionsError */
export const checkStreamOptions = rules.each(
  rules.object({
    ...STREAM_RULES,
    method: rules.anyValue,
    negotiate: rules.trueOrFalse,
    ignoreAccept: rules.trueOrFalse,
    map: rules.object({
      data: rules.aText,
      type: rules.aText,
      id: rules.aText,
      retry: rules.aText,
    }),
  }),
  checkErrorWords,
);
