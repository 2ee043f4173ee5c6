import * as rules from '../options/rules.js';
import type { Overflow } from '../output/backlog.js';
import type { SseMessage } from '../wire/frame.js';

/**
 * What happens to a client that reads too slowly.
 * @publicApi
 */
export interface BackpressureOptions {
  /**
   * The maximum backlog of a client, in bytes of text, also where streams are compressed.
   * @default 1_048_576
   */
  maxBufferedBytes?: number;
  /**
   * What happens to a larger backlog. The client gets `sse-gap` for dropped events.
   * - `disconnect`: the connection ends with the reason `overflow`. The client reconnects and gets
   *   the missed events.
   * - `drop-oldest`, `drop-newest`: events are dropped.
   * - `conflate`: the backlog, of any size, keeps only the latest event per `key`. If it is still
   *   too large, the oldest events are dropped.
   * - `append`: in the backlog, of any size, neighbours of the same type and `key` become one
   *   event, so the client gets all of a text in fewer events. If it is still too large:
   *   `disconnect`.
   * @default 'disconnect'
   */
  overflow?: Overflow;
  /**
   * For `overflow: 'conflate'`: a later event replaces an earlier one with the same key. For
   * `append`: only events with the same key become one.
   * @default the type of the event
   */
  key?: (message: SseMessage) => string;
  /**
   * For `overflow: 'append'`: the data of two events as that of one. Return `undefined` to keep
   * them apart. Must not change its arguments. What it has returned may have gone through JSON when
   * it is passed again.
   * @default joins two texts, and keeps all other data apart
   * @example `join: (a: Delta, b: Delta) => ({ ...a, delta: a.delta + b.delta })`
   */
  join?: (earlier: never, later: never) => unknown;
  /**
   * How long a client with a backlog may read nothing, in milliseconds. Then its socket is
   * destroyed with the reason `stall`. `false` switches it off.
   * @default 15_000
   */
  stallTimeoutMs?: number | false;
}

/** @throws SseOptionsError */
export const checkBackpressure = rules.object({
  maxBufferedBytes: rules.positiveInteger,
  overflow: rules.oneOf('disconnect', 'drop-oldest', 'drop-newest', 'conflate', 'append'),
  key: rules.aFunction,
  join: rules.aFunction,
  stallTimeoutMs: rules.orFalse(rules.durationMs),
});
