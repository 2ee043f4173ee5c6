/**
 * The range from which each connection draws a random reconnection time.
 * @publicApi
 */
export interface RetryRange {
  /** The shortest time, in milliseconds. */
  minMs: number;
  /** The longest time, in milliseconds. */
  maxMs: number;
}

/**
 * A random reconnection time in milliseconds, so that clients that were disconnected together do
 * not reconnect together.
 */
export function drawRetry({ minMs, maxMs }: RetryRange): number {
  return minMs + Math.floor(Math.random() * (maxMs - minMs + 1));
}
