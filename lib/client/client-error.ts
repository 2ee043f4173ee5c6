/**
 * What programs may switch on; the message is for people.
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
  | 'SSE_DATA';

interface Facts extends ErrorOptions {
  readonly isFinal?: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly retryAfterMs?: number | undefined;
}

/**
 * Why an attempt to read a stream failed, or what is wrong with an option.
 * @publicApi
 */
export class SseClientError extends Error {
  override readonly name = 'SseClientError';
  /** Trying again will not help, so the stream is closed. */
  readonly isFinal: boolean;
  /** The HTTP status, with `SSE_STATUS`. */
  readonly status: number | undefined;
  /** What the server answered instead of a stream, with `SSE_STATUS`. */
  readonly body: string | undefined;
  /** What the server asked for with `Retry-After`. Milliseconds. */
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

/** What somebody threw, as a text for a message. Never throws, whatever that was. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    // Node's fetch says only that it failed; why is in the cause.
    const { message, cause } = thrown;
    return cause instanceof Error ? `${message}: ${cause.message || cause.name}` : message;
  } catch {
    // Such as an object without a prototype, or a getter that throws.
    return 'a value without text';
  }
}
