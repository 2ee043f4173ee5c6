/**
 * The stable code of an `SseClientError`. Compare codes, not messages.
 * - `SSE_OPTIONS`: an option of `connect()` is wrong.
 * - `SSE_REQUEST`: the request cannot be built or sent.
 * - `SSE_NETWORK`: the connection failed.
 * - `SSE_STATUS`: the server answered with a status other than 2xx.
 * - `SSE_REDIRECT`: the option `redirect` does not allow the redirect.
 * - `SSE_CONTENT_TYPE`: the response is not an event stream that can be read.
 * - `SSE_STALLED`: the server was silent for too long.
 * - `SSE_DATA`: an event is too large or cannot be parsed.
 * - `SSE_STATE`: `stateOf()` has no whole state, or could not have one.
 * - `SSE_ROOMS`: `join()` or `leave()` has no stream whose rooms can change.
 * @publicApi
 */
export type SseClientErrorCode =
  | 'SSE_OPTIONS'
  | 'SSE_STATUS'
  | 'SSE_REDIRECT'
  | 'SSE_CONTENT_TYPE'
  | 'SSE_NETWORK'
  | 'SSE_STALLED'
  | 'SSE_REQUEST'
  | 'SSE_DATA'
  | 'SSE_STATE'
  | 'SSE_ROOMS';

interface Facts extends ErrorOptions {
  readonly isFinal?: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly retryAfterMs?: number | undefined;
}

/**
 * An attempt to read a stream failed, or an option is wrong.
 * @publicApi
 */
export class SseClientError extends Error {
  override readonly name = 'SseClientError';
  /** Whether the error closes the stream, because another attempt would fail too. */
  readonly isFinal: boolean;
  /** The HTTP status, with `SSE_STATUS`. */
  readonly status: number | undefined;
  /** The beginning of the response body, with `SSE_STATUS`. */
  readonly body: string | undefined;
  /** The server's `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: SseClientErrorCode,
    message: string,
    { isFinal = false, status, body, retryAfterMs, ...options }: Facts = {},
  ) {
    super(message, options);
    this.isFinal = isFinal;
    this.status = status;
    this.body = body;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A thrown value as text for a message. Never throws. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    // Node's fetch has the reason in `cause`.
    const { message, cause } = thrown;
    return cause instanceof Error ? `${message}: ${cause.message || cause.name}` : message;
  } catch {
    // For example an object without a prototype, or a getter that throws.
    return 'a value without text';
  }
}
