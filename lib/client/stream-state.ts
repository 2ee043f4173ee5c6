import type { SseClientError } from './client-error.js';

/**
 * `connecting`: a request is on its way. `open`: events come. `waiting`: until the next attempt.
 * `closed`: for good.
 * @publicApi
 */
export type StreamState = 'connecting' | 'open' | 'waiting' | 'closed';

/**
 * Why a stream is closed: `client`, by `close()`, the signal, or because the last loop was left;
 * `server`, by the `sse-end` of a stream that is complete, or 204; or an error that trying again
 * does not mend.
 * @publicApi
 */
export type StreamEnd =
  | { readonly reason: 'client' | 'server'; readonly error?: undefined }
  | { readonly reason: 'error'; readonly error: SseClientError };

/**
 * What `subscribe()` calls, as an observer of RxJS.
 * @publicApi
 */
export interface StreamObserver<Event> {
  /** For each event. */
  next?(event: Event): void;
  /** Once, when the stream is given up. Nothing follows. */
  error?(error: unknown): void;
  /** Once, when the stream was closed by the client or the server. Nothing follows. */
  complete?(): void;
}
