import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { SseNotStreamableError } from './errors.js';

/**
 * The request as Express or Fastify hand it to a handler.
 * @publicApi
 */
export interface HttpRequest {
  readonly raw?: IncomingMessage | Http2ServerRequest;
  readonly headers: IncomingMessage['headers'];
  readonly query?: unknown;
  /** The client's address, also behind a proxy that the platform was told to trust. */
  readonly ip?: string;
}

/** The response as Express or Fastify hand it to a handler. */
export interface HttpResponse {
  readonly raw?: ServerResponse | Http2ServerResponse;
  readonly statusCode: number;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  hijack?(): void;
}

type HeaderValue = number | string | string[] | undefined;

const CONTENT_TYPE = 'text/event-stream';

/** How much of what a client says of itself is remembered. */
const MAX_PLACE_PART = 200;

/** Node frames the body: with a length of somebody else's, what follows it would be read as another response. */
const FRAMING_HEADERS = ['content-length', 'transfer-encoding'];

/** Proxies must neither keep, change nor hold back what is written. */
const STREAM_HEADERS = {
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

/**
 * The response of one stream: what Express and Fastify, HTTP/1.1 and HTTP/2 do differently ends here.
 */
export class StreamResponse {
  readonly raw: ServerResponse;
  /** Nest's own, or that of `@HttpCode()`: the handler may set another one. */
  readonly declaredStatus: number;
  private readonly request: IncomingMessage;

  /** @throws SseNotStreamableError when something has answered already */
  constructor(
    private readonly platformRequest: HttpRequest,
    readonly response: HttpResponse,
  ) {
    this.declaredStatus = response.statusCode;
    // HTTP/2's classes have the same methods as far as we use them.
    this.raw = (response.raw ?? response) as ServerResponse;
    this.request = (platformRequest.raw ?? platformRequest) as IncomingMessage;
    if (this.raw.headersSent || this.raw.writableEnded) {
      throw new SseNotStreamableError(
        'the response has already begun; let the handler of `@SseStream()` be the only one that answers',
      );
    }
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  /** What distinguishes a client before it says who it is: its address, its program, and what it asks for. */
  get place(): string {
    const { platformRequest: request } = this;
    const program = request.headers['user-agent']?.slice(0, MAX_PLACE_PART);
    return `${addressOf(request)} ${program} ${pathOf(request).slice(0, MAX_PLACE_PART)}`;
  }

  /** The client has left. */
  get isGone(): boolean {
    return this.raw.destroyed || this.request.socket.destroyed;
  }

  /**
   * Writes the headers, which go out with the first write: the stream's, what the handler and middleware set, and
   * `headers`, which win. Throws, with nothing sent, for a header that Node refuses.
   */
  begin(headers: Readonly<Record<string, string>> = {}): void {
    const { statusCode } = this.response;
    if (statusCode < 200 || statusCode === 204 || statusCode === 304) {
      throw new SseNotStreamableError(
        `a response with status ${statusCode} has no body to stream; leave out @HttpCode(${statusCode})`,
      );
    }
    const sources = [
      STREAM_HEADERS,
      this.keepsConnection ? { Connection: 'keep-alive' } : {},
      this.response.getHeaders(),
      headers,
      { 'Content-Type': CONTENT_TYPE },
    ];
    this.writeHead(statusCode, sources);
  }

  /** Not what the request says of itself: on a socket of HTTP/1.1 it may say anything. */
  private get isHttp2(): boolean {
    return 'stream' in this.raw;
  }

  /** The header is forbidden on HTTP/2, on HTTP/1.0 the client would wait for a length, and `close` is the client's word. */
  private get keepsConnection(): boolean {
    const { httpVersion, headers } = this.request;
    return httpVersion === '1.1' && !/\bclose\b/i.test(headers.connection ?? '');
  }

  /** For an exception filter's answer: when a client may come back. Seconds. */
  set retryAfter(seconds: number) {
    this.raw.setHeader('Retry-After', seconds);
  }

  /** Answers without opening a stream: the client should not come back (204), or come back later. */
  answer(status: number, headers: Readonly<Record<string, string>>, body?: string): void {
    const type = body === undefined ? {} : { 'Content-Type': CONTENT_TYPE };
    // Or the client would come back on the same socket, and a server that closes would wait for it.
    const close = this.request.httpVersionMajor === 1 ? { Connection: 'close' } : {};
    this.writeHead(status, [STREAM_HEADERS, this.response.getHeaders(), headers, type, close]);
    this.raw.end(this.isHead ? undefined : body);
  }

  /** Of HTTP/2: what is open on it goes on, and its client opens another for what comes. A server that closes would wait for it. */
  endSession(): void {
    if (!this.isHttp2) return;
    const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
    stream?.session?.close();
  }

  /** Later sources win; a name counts in any case. */
  private writeHead(status: number, sources: readonly Record<string, HeaderValue>[]): void {
    const byName = new Map<string, [string, HeaderValue]>();
    for (const source of sources) {
      for (const [name, value] of Object.entries(source)) {
        if (value !== undefined) byName.set(name.toLowerCase(), [name, value]);
      }
    }
    for (const name of FRAMING_HEADERS) {
      byName.delete(name);
      if (this.raw.hasHeader(name)) this.raw.removeHeader(name);
    }
    this.raw.writeHead(status, Object.fromEntries(byName.values()));
    // Only now: until the head is written, an exception filter may still answer.
    this.response.hijack?.();
  }

  /** Calls `listener` when the client has left or the response is finished. */
  onClosed(listener: () => void): void {
    // Not `once`, which keeps a wrapper: the listener does nothing the second time.
    this.raw.on('close', listener);
    // A write to a client that has just left is an error event; that it left is told by 'close'.
    this.raw.on('error', ignore);
    // A response that waits behind another one of its connection (pipelining) has no socket yet,
    // and never closes if the client leaves before its turn.
    if (this.raw.socket === null && !this.isHttp2) {
      const forget = onSocketClosed(this.request, listener);
      this.raw.on('close', forget);
    }
  }
}

function ignore(): void {}

/** One listener per socket, however many responses wait on it. */
const waiting = new WeakMap<object, Set<() => void>>();

function onSocketClosed({ socket }: IncomingMessage, listener: () => void): () => void {
  let listeners = waiting.get(socket);
  if (listeners === undefined) {
    const waiters = (listeners = new Set());
    waiting.set(socket, waiters);
    socket.once('close', () => {
      for (const call of waiters) call();
    });
  }
  const all = listeners.add(listener);
  return () => void all.delete(listener);
}

/** The client's address, also behind a proxy that the platform was told to trust. */
export function addressOf(request: HttpRequest): string {
  const { socket } = (request.raw ?? request) as Partial<IncomingMessage>;
  return request.ip ?? socket?.remoteAddress ?? '';
}

/** What is asked for, without the query. */
export function pathOf(request: HttpRequest): string {
  const { originalUrl, url } = request as { originalUrl?: string; url?: string };
  return (originalUrl ?? url ?? '').split('?', 1)[0] ?? '';
}

/**
 * The last event ID that the client returned with: the header, then `?lastEventId=`.
 * Browsers send its UTF-8 bytes, which Node reads as Latin-1.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
 */
export function lastEventIdOf(request: HttpRequest): string | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header === 'string' && header !== '') {
    const text = Buffer.from(header, 'latin1').toString('utf8');
    return text.includes('\uFFFD') ? header : text;
  }
  const query = (request.query as Record<string, unknown> | undefined)?.['lastEventId'];
  return typeof query === 'string' && query !== '' ? query : undefined;
}
