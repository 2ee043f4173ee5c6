import * as rules from '../options/rules.js';

/**
 * How long and how much a log keeps for clients that return.
 * @publicApi
 */
export interface HistoryOptions {
  /**
   * Per room.
   * @default 1_000
   */
  maxEvents?: number;
  /**
   * Milliseconds.
   * @default 300_000
   */
  maxAgeMs?: number;
  /**
   * Bytes, per hub; beyond it the oldest events go. The log in memory counts what it takes there.
   * The log on Redis counts wire text; Redis needs about 4.6 kB more for each room.
   * @default 67_108_864
   */
  maxBytes?: number;
}

/** What applies where nothing is set. */
export const HISTORY_DEFAULTS = Object.freeze({
  maxEvents: 1_000,
  maxAgeMs: 300_000,
  maxBytes: 67_108_864,
});

/** @throws SseOptionsError */
export const checkHistory = rules.orFalse(
  rules.object({
    maxEvents: rules.positiveInteger,
    maxAgeMs: rules.durationMs,
    maxBytes: rules.positiveInteger,
  }),
);
