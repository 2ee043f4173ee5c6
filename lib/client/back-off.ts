/** The longest delay of a timer. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** Used until the server sends `retry:`. Browsers wait for about as long. */
export const DEFAULT_RETRY_MS = 3_000;
export const DEFAULT_MAX_BACKOFF_MS = 30_000;
/** The base of the back-off for a shorter `retry:`, so that `retry: 0` does not mean no pause. */
export const MIN_BASE_MS = 100;

/** The inputs of `retryDelay()`. */
interface BackOff {
  /** The server's `retry:`, in milliseconds. */
  readonly retryMs: number;
  /** The number of consecutive failed attempts. */
  readonly failures: number;
  readonly maxBackoffMs: number;
  /** The server's `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Milliseconds until the next attempt: `retry:` after a stream that worked. After failures it is a
 * random time up to a limit that doubles, so that clients that failed together do not all reconnect
 * at once.
 */
export function retryDelay(
  { retryMs, failures, maxBackoffMs, retryAfterMs = 0 }: BackOff,
  random = Math.random,
): number {
  const limit = Math.min(
    Math.max(retryMs, MIN_BASE_MS) * 2 ** failures,
    Math.max(retryMs, maxBackoffMs),
  );
  const delay = failures === 0 ? retryMs : random() * limit;
  return Math.min(Math.max(delay, retryAfterMs), MAX_TIMER_MS);
}

/** `Retry-After`, which is seconds or a date, as milliseconds from `now`. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
