import * as rules from '../options/rules.js';

/**
 * How much of the past a log keeps for returning clients.
 * @publicApi
 */
export interface HistoryOptions {
  /**
   * Events per room.
   * @default 1_000
   */
  maxEvents?: number;
  /**
   * Age of an event. Milliseconds.
   * @default 300_000
   */
  maxAgeMs?: number;
  /**
   * Size of a hub's events. Beyond it, the oldest are removed. Bytes: in memory, of the memory they
   * take; on Redis, of wire text, and Redis needs about 4.6 kB more per room.
   * @default 67_108_864
   */
  maxBytes?: number;
}

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
