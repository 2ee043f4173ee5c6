import type { SseClientError } from './client-error.js';

/**
 * What a stream does.
 * - `connecting`: a request was sent.
 * - `open`: the response has begun.
 * - `waiting`: pausing until the next attempt.
 * - `closed`: ended; it does not reconnect.
 * @publicApi
 */
export type StreamState = 'connecting' | 'open' | 'waiting' | 'closed';

/**
 * Why a stream is closed.
 * - `client`: `close()`, the signal, or the end of the last loop or subscription.
 * - `server`: the `sse-end` of a complete stream, or status 204 or 205.
 * - `error`: an error that another attempt would not fix.
 * @publicApi
 */
export type StreamEnd =
  | { readonly reason: 'client' | 'server'; readonly error?: undefined }
  | { readonly reason: 'error'; readonly error: SseClientError };

/**
 * The callbacks for `subscribe()`, as in RxJS.
 * @publicApi
 */
export interface StreamObserver<Event> {
  /** Called for each event. */
  next?(event: Event): void;
  /** Called once if the stream failed. No call follows. */
  error?(error: unknown): void;
  /** Called once when the client or the server has closed the stream. No call follows. */
  complete?(): void;
}
