import { MAX_TIMER_MS, parseRetryAfter } from './back-off.js';
import { isStream, partsOf, textOf, type Parts } from './body.js';
import { messageOf, SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { send, type Init } from './redirect.js';
import { Parser, type Block } from '../wire/parser.js';
import { HELD_BACK, KEEPS_TAIL } from '../wire/protocol.js';

/** A shorter silence may be network delay. */
const MIN_STALL_MS = 1_000;
/** After a sleep of the machine, timers run before what has arrived is read: it gets this long. */
const LAST_MS = 200;
/** Statuses that close the stream. */
const NO_CONTENT = [204, 205];
const DEFAULT_MAX_EVENT_BYTES = 8_388_608;

/** One request and its response. */
export class Attempt {
  private readonly parser: Parser;
  private readonly abortion = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What the attempt waits for. */
  private stage: 'request' | 'first byte' | 'next byte' = 'request';

  /** `isHeldBack`: earlier attempts received no byte, which is reported to the server. */
  constructor(
    private readonly url: string | URL,
    private readonly options: ConnectOptions,
    private readonly isHeldBack: boolean,
  ) {
    const { maxEventBytes = DEFAULT_MAX_EVENT_BYTES } = options;
    this.parser = new Parser((bytes) => {
      if (maxEventBytes && bytes > maxEventBytes) throw tooLong(maxEventBytes);
    });
  }

  /** It timed out before the first byte of the stream. */
  get wasSilent(): boolean {
    return this.stage === 'first byte' && this.abortion.signal.reason instanceof SseClientError;
  }

  get retryMs(): number | undefined {
    return this.parser.retryMs;
  }

  /**
   * Sends the request. Resolves with the body of the stream, or `undefined` if the server has none
   * and the client must not reconnect.
   * @throws SseClientError
   */
  async open(lastEventId: string | undefined): Promise<Parts | undefined> {
    this.watch();
    const init = await this.unlessGivenUp(this.request(lastEventId));
    this.stage = 'first byte';
    this.watch();
    const response = await send(this.url, init, this.options);
    if (NO_CONTENT.includes(response.status)) return undefined;
    // `EventSource` accepts 200 only. Here the app chooses the method, and Nest answers a POST with
    // 201.
    if (!response.ok) throw await statusError(response);
    const type = response.headers.get('content-type') ?? 'none';
    if (!/^text\/event-stream\s*(;|$)/i.test(type)) {
      const message = `expected text/event-stream, got ${type}; check the URL and the proxies`;
      throw new SseClientError('SSE_CONTENT_TYPE', message, { isFinal: true });
    }
    const parts = partsOf(response);
    if (parts === undefined) {
      const message = `the body from fetch() cannot be read in parts; pass a fetch that streams, such as expo/fetch in React Native`;
      throw new SseClientError('SSE_CONTENT_TYPE', message, { isFinal: true });
    }
    return parts;
  }

  /** Yields blocks as they arrive. Reads on demand, so that a slow reader slows the server down. */
  async *read(parts: Parts): AsyncGenerator<Block, void, undefined> {
    const decoder = new TextDecoder();
    for (;;) {
      this.watch();
      const { done, value } = await parts.read();
      clearTimeout(this.timer);
      if (done) return;
      this.stage = 'next byte';
      for (const block of this.parser.feed(decoder.decode(value, { stream: true }))) yield block;
    }
  }

  /** Why the attempt failed. */
  failure(thrown: unknown): SseClientError {
    // A refusal stays a refusal, even if its body broke off.
    if (thrown instanceof SseClientError) return thrown;
    const error: unknown = this.abortion.signal.reason ?? thrown;
    if (error instanceof SseClientError) return error;
    return new SseClientError('SSE_NETWORK', `the connection failed: ${messageOf(error)}`, {
      cause: error,
    });
  }

  /** Closes the connection. A second call does nothing. */
  end(): void {
    clearTimeout(this.timer);
    this.abortion.abort();
  }

  /** Restarts the timeout of the current stage. */
  private watch(): void {
    const { stallTimeoutMs = stallAfter(this.parser.keepAliveMs) } = this.options;
    clearTimeout(this.timer);
    // 0: the server sends no keep-alives, so silence means nothing.
    if (!stallTimeoutMs) return;
    const lastMs = Math.min(LAST_MS, stallTimeoutMs);
    this.timer = setTimeout(() => {
      this.timer = setTimeout(() => this.abortion.abort(this.late(stallTimeoutMs)), lastMs);
    }, stallTimeoutMs - lastMs);
  }

  private late(ms: number): SseClientError {
    if (this.stage === 'request') {
      return new SseClientError('SSE_REQUEST', `headers() or body() took longer than ${ms} ms`);
    }
    const what =
      this.stage === 'next byte'
        ? `received nothing for ${ms} ms, not even a keep-alive`
        : `received no byte within ${ms} ms: the server is busy, or a proxy buffers the stream`;
    return new SseClientError('SSE_STALLED', what);
  }

  /** For functions of the app, which get no signal. */
  private unlessGivenUp<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.abortion;
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      work.then(resolve, reject);
    });
  }

  private async request(lastEventId: string | undefined): Promise<Init> {
    const [given, body] = await this.prepared();
    if (isStream(body)) throw unsendable(STREAM_AS_BODY);
    const { method = body === undefined ? 'GET' : 'POST', credentials } = this.options;
    try {
      const headers = new Headers(given);
      if (!headers.has('accept')) headers.set('accept', `text/event-stream, ${KEEPS_TAIL}`);
      if (this.isHeldBack) headers.append('accept', HELD_BACK);
      if (lastEventId) headers.set('last-event-id', utf8(lastEventId));
      const init = { method, headers, credentials, cache: 'no-store' } as const;
      // `fetch` would reject as for a network failure. This throws only for an invalid request.
      const request = new Request(this.url, { ...init, body: body === undefined ? undefined : '' });
      return { ...init, method: request.method, body, signal: this.abortion.signal };
    } catch (cause) {
      throw unsendable(messageOf(cause), cause);
    }
  }

  private async prepared() {
    const { headers, body } = this.options;
    try {
      // In sequence, so that no rejection is unhandled if both fail.
      const given = typeof headers === 'function' ? await headers() : headers;
      return [given, typeof body === 'function' ? await body() : body] as const;
    } catch (cause) {
      const message = `headers() or body() failed: ${messageOf(cause)}`;
      throw new SseClientError('SSE_REQUEST', message, { cause });
    }
  }
}

/** Tolerates two missing keep-alives. */
function stallAfter(keepAliveMs: number): number {
  return Math.min(Math.max(3 * keepAliveMs, MIN_STALL_MS), MAX_TIMER_MS);
}

const STREAM_AS_BODY =
  'body is a stream, which can be sent only once; pass a string, bytes, a Blob or FormData';

function unsendable(why: string, cause?: unknown): SseClientError {
  const message = `the request cannot be sent: ${why}`;
  return new SseClientError('SSE_REQUEST', message, { isFinal: true, cause });
}

function tooLong(maxBytes: number): SseClientError {
  const message = `a line or an event is longer than maxEventBytes (${maxBytes}); raise it, or check the URL and the proxies`;
  // The next attempt would get the same.
  return new SseClientError('SSE_DATA', message, { isFinal: true });
}

/** Headers take Latin-1 only. As in `EventSource`, each UTF-8 byte becomes a character. */
function utf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

async function statusError(response: Response): Promise<SseClientError> {
  const { status } = response;
  const isFinal = status < 500 && status !== 408 && status !== 429;
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  const body = await textOf(response);
  const message = `the server answered ${status}${body === '' ? '' : `: ${body.slice(0, 200)}`}`;
  return new SseClientError('SSE_STATUS', message, { isFinal, status, body, retryAfterMs });
}
