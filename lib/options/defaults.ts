import { KEEP_ALIVE_MS } from '../wire/protocol.js';

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
} as const);
