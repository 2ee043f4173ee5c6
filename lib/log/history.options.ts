import * as rules from '../options/rules.js';

/**
 * What a log keeps for returning clients. The oldest events beyond a limit are deleted.
 * @publicApi
 */
export interface HistoryOptions {
  /**
   * The maximum number of events per room.
   * @default 1_000
   */
  maxEvents?: number;
  /**
   * The maximum age of events, in milliseconds.
   * @default 300_000
   */
  maxAgeMs?: number;
  /**
   * The maximum size of all events of a hub, in bytes. The log in memory counts the memory that it
   * uses. The log on Redis counts wire text; Redis needs about 4.6 kB more per room.
   * @default 67_108_864
   */
  maxBytes?: number;
}

/** The defaults of `HistoryOptions`. */
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
