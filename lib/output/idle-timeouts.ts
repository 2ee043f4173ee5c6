import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/**
 * A socket, or an HTTP/2 stream or session. Each closes itself after `timeout` idle milliseconds.
 */
export interface Timed {
  readonly timeout?: number | undefined;
  readonly destroyed?: boolean;
  setTimeout(ms: number): unknown;
}

const paused = new WeakMap<Timed, { streams: number; readonly timeoutMs: number }>();

/**
 * Switches off an idle timeout while a stream is open, because a quiet stream is not a hanging
 * request. Returns a function that restores it once no other stream uses the socket or session;
 * `undefined` if there is no timeout.
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
    // When a response ends, Node sets the timeout of a kept-alive socket itself. That one wins.
    if (timed.destroyed !== true && !timed.timeout) timed.setTimeout(entry.timeoutMs);
  };
}

/** What has an idle timeout under an HTTP/2 response. */
export function http2Of(raw: ServerResponse): Timed[] {
  const { stream } = raw as unknown as Partial<Http2ServerResponse>;
  return stream === undefined ? [] : [stream, ...(stream.session ? [stream.session] : [])];
}
