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
 * Each connection draws its own, so that clients that were cut together do not return together.
 * Milliseconds.
 */
export function drawRetry({ minMs, maxMs }: RetryRange): number {
  return minMs + Math.floor(Math.random() * (maxMs - minMs + 1));
}
