/**
 * A socket, or a stream or session of HTTP/2: each ends what is idle for `timeout` milliseconds.
 */
export interface Timed {
  readonly timeout?: number | undefined;
  readonly destroyed?: boolean;
  setTimeout(ms: number): unknown;
}

const paused = new WeakMap<Timed, { streams: number; readonly timeoutMs: number }>();

/**
 * Switches an idle timeout off while a stream is open: a quiet stream is no request that hangs.
 * Answers what switches it on again, once no other stream uses the same socket or session;
 * `undefined` where there is none.
 */
export function pauseIdleTimeout(timed: Timed): (() => void) | undefined {
  const known = paused.get(timed);
  if (known === undefined && !timed.timeout) return undefined;
  const entry = known ?? { streams: 0, timeoutMs: timed.timeout ?? 0 };
  entry.streams++;
  paused.set(timed, entry);
  timed.setTimeout(0);
  return () => {
    entry.streams--;
    if (entry.streams > 0) return;
    paused.delete(timed);
    // Node sets the timeout of a kept-alive socket itself when a response ends; that one wins.
    if (timed.destroyed !== true && !timed.timeout) timed.setTimeout(entry.timeoutMs);
  };
}
