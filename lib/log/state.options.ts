import * as rules from '../options/rules.js';

/**
 * Limits of the entries of state rooms. At a limit, `set()` rejects with `SSE_LIMIT`; no entry is
 * dropped.
 * @publicApi
 */
export interface StateOptions {
  /**
   * The maximum number of entries per room.
   * @default 10_000
   */
  maxKeys?: number;
  /**
   * The maximum size of all entries of a hub, in bytes, beside `history.maxBytes`. The log in
   * memory counts the memory that it uses, the log on Redis the text.
   * @default 67_108_864
   */
  maxBytes?: number;
}

/** The defaults of `StateOptions`. */
export const STATE_DEFAULTS = Object.freeze({ maxKeys: 10_000, maxBytes: 67_108_864 });

/** @throws SseOptionsError */
export const checkState = rules.object({
  maxKeys: rules.positiveInteger,
  maxBytes: rules.positiveInteger,
});
