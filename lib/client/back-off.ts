/** The longest that a timer takes. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** `retry: 0` does not ask for a client that never rests while the server is away. */
export const MIN_BASE_MS = 100;

/** What decides when to try again. */
interface BackOff {
  /** What the server asked for with `retry:`. Milliseconds. */
  readonly retryMs: number;
  /** How many attempts in a row brought nothing. */
  readonly failures: number;
  readonly maxBackoffMs: number;
  /** What the server asked for with `Retry-After`. Milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Milliseconds until the next attempt. After a stream that brought something, what the server asked
 * for; after failures anything up to a limit that doubles, so that clients which failed together do
 * not come back together.
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

/** `Retry-After`: seconds or a date, as milliseconds from `now`. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
