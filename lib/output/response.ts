import { validateHeaderValue, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerResponse, Http2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { SseNotStreamableError } from '../ground/errors.js';
import { wasClosedHere, watchClosing } from './closed-here.js';
import type { Compression, HeadSettings } from './compression.js';
import type { Encoder } from './encoder.js';
import { hasBody } from '../wire/negotiation.js';
import { isFastifyReply, writeAfterHooks } from './fastify-hooks.js';
import type { HttpResponse } from './http-response.js';
import { onSocketClosed } from './pipelined.js';
import { routeOf, type HttpRequest } from './request.js';
import { http2Of, pauseIdleTimeout } from './idle-timeouts.js';
import {
  allowEnd,
  ignoreLateAnswers,
  OWNER,
  type Owned,
  type ResponseOwner,
} from './late-answers.js';
import { endRouting } from './express-shape.js';
import { shareHead } from './shared-head.js';
import {
  EVENT_STREAM,
  FRAMING_HEADERS,
  mergeHeaders,
  STREAM_HEADERS,
  streamHeaders,
} from './stream-headers.js';

/** The stream of a response. */
export interface ClosedListener {
  responseClosed(): void;
}

/**
 * The response of one stream. It hides the differences between Express and Fastify, and between
 * HTTP/1.1 and HTTP/2. It writes heads and short answers; an `Outbox` writes the stream itself.
 */
export class StreamResponse implements ResponseOwner {
  readonly raw: ServerResponse;
  /** Nest's default, or that of `@HttpCode()`. The handler may set another one. */
  readonly declaredStatus: number;
  private readonly request: IncomingMessage;
  isEnding = false;
  realEnd: ResponseOwner['realEnd'];
  private listener: ClosedListener | undefined;

  /** @throws SseNotStreamableError if something has answered already */
  constructor(
    private readonly platformRequest: HttpRequest,
    readonly response: HttpResponse,
    private readonly later: (write: () => void) => void = (write) => write(),
  ) {
    this.declaredStatus = response.statusCode;
    // HTTP/2's classes have all methods that are used here.
    this.raw = (response.raw ?? response) as ServerResponse;
    this.request = (platformRequest.raw ?? platformRequest) as IncomingMessage;
    if (this.isAnswered) {
      throw new SseNotStreamableError(
        'the response has already begun; only the handler of @SseStream() may answer the request',
      );
    }
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  /** The client has left. */
  get isGone(): boolean {
    return this.raw.destroyed || this.request.socket.destroyed;
  }

  /** Something else has answered. */
  get isAnswered(): boolean {
    return this.raw.headersSent || this.raw.writableEnded;
  }

  /**
   * Checks status and headers, and writes the head when `later` runs its callback. Until then,
   * interceptors that see the handler's result may still set headers or refuse. Fastify runs its
   * `onSend` hooks before. Then calls `written`, with the encoder if the stream is compressed.
   * Calls `refused` if something else answered, or with an error.
   * @throws SseNotStreamableError for a status without a body; Node's error for an invalid header
   */
  begin(
    { headers, compression }: HeadSettings,
    written: (encoder?: Encoder) => void,
    refused: (error?: unknown) => void,
  ): void {
    this.checkStatus();
    this.checkHeaders();
    const write = (): void => {
      if (this.isGone) return;
      if (this.isAnswered) return refused();
      let encoder: Encoder | undefined;
      try {
        encoder = this.writeStreamHead(headers, compression);
      } catch (error) {
        return refused(error);
      }
      written(encoder);
    };
    // Fastify answers a HEAD request itself when it gets a payload.
    if (isFastifyReply(this.response) && !this.isHead)
      writeAfterHooks(this.response, this.later, write, refused);
    else this.later(write);
  }

  private checkStatus(): void {
    const { statusCode } = this.response;
    if (hasBody(statusCode)) return;
    throw new SseNotStreamableError(
      `a response with status ${statusCode} has no body to stream; set another status`,
    );
  }

  /**
   * Fastify accepts any header. One that Node refuses would also break the answer of an exception
   * filter, so it is removed. Others use Node's, which checks each when it is set.
   */
  private checkHeaders(): void {
    if (!isFastifyReply(this.response)) return;
    for (const [name, value] of Object.entries(this.response.getHeaders())) {
      try {
        for (const one of Array.isArray(value) ? value : [value])
          validateHeaderValue(name, String(one));
      } catch (error) {
        this.response.removeHeader(name);
        throw error;
      }
    }
  }

  private writeStreamHead(
    headers: HeadSettings['headers'],
    compression: Compression | undefined,
  ): Encoder | undefined {
    this.checkStatus();
    const connection = this.keepsConnection ? { Connection: 'keep-alive' } : {};
    const all = streamHeaders(connection, this.response.getHeaders(), headers);
    const compressed = compression?.begin(this.platformRequest, this.raw, all);
    this.writeHead(this.response.statusCode, compressed?.headers ?? all);
    ignoreLateAnswers(this.raw, this.response, this);
    shareHead(this.raw);
    endRouting(this.platformRequest);
    watchClosing(this.transport);
    for (const timed of this.isHttp2 ? http2Of(this.raw) : [this.request.socket]) {
      const resume = pauseIdleTimeout(timed);
      if (resume !== undefined) this.raw.once('close', resume);
    }
    return this.isHead ? undefined : compressed?.encoder();
  }

  /** The response decides: on an HTTP/1.1 socket, the request may claim any version. */
  private get isHttp2(): boolean {
    return 'stream' in this.raw;
  }

  /**
   * HTTP/2 forbids the header. On HTTP/1.0 a client would wait for a length. And a client's `close`
   * must be respected.
   */
  private get keepsConnection(): boolean {
    const { httpVersion, headers } = this.request;
    return httpVersion === '1.1' && !/\bclose\b/i.test(headers.connection ?? '');
  }

  /** The socket, or the HTTP/2 stream. */
  private get transport(): Socket | ServerHttp2Stream {
    const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
    return stream ?? this.request.socket;
  }

  /** For the log. */
  get route(): string {
    return `${this.request.method} ${routeOf(this.platformRequest)}`;
  }

  /** Whether this process cut the response: the client neither ended nor broke the connection. */
  get isCutHere(): boolean {
    if (wasClosedHere(this.transport)) return true;
    if (this.isHttp2) {
      const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
      // A client that resets its stream also ends its side. A reset with a code looks the same from
      // both ends.
      return stream?.rstCode === 0 && !stream.readableEnded;
    }
    const { socket } = this.request;
    if (socket.readableEnded || !socket.destroyed) return false;
    // Network errors have a code, and so do the errors of Node's parser.
    return socket.errored === null || !('code' in socket.errored);
  }

  /** Lets the stream end the response. For others, `end()` still does nothing. */
  allowEnd(): void {
    allowEnd(this.raw, this);
  }

  /** When the client may return, for an exception filter's answer. Seconds. */
  set retryAfter(seconds: number) {
    this.raw.setHeader('Retry-After', seconds);
  }

  /** Answers without a stream: the client should stay away (204) or return later. */
  answer(status: number, headers: Readonly<Record<string, string>>, body?: string): void {
    const type = body === undefined ? {} : { 'Content-Type': EVENT_STREAM };
    // Otherwise the client would return on the same socket, and a closing server would wait for it.
    const close = this.request.httpVersionMajor === 1 ? { Connection: 'close' } : {};
    const sources = [STREAM_HEADERS, this.response.getHeaders(), headers, type, close];
    this.writeHead(status, mergeHeaders(sources));
    this.raw.end(this.isHead ? undefined : body);
  }

  /** `undefined` on HTTP/1.1, and after the client left. */
  get session(): Http2Session | undefined {
    if (!this.isHttp2) return undefined;
    return (this.raw as unknown as Partial<Http2ServerResponse>).stream?.session;
  }

  private writeHead(status: number, headers: ReturnType<typeof mergeHeaders>): void {
    for (const name of FRAMING_HEADERS) {
      if (this.raw.hasHeader(name)) this.raw.removeHeader(name);
    }
    this.raw.writeHead(status, headers);
    // Not earlier: until the head is written, an exception filter may still answer.
    this.response.hijack?.();
  }

  /** Tells `listener` when the client left or the response is finished, maybe twice. */
  onClosed(listener: ClosedListener): void {
    this.listener = listener;
    (this.raw as unknown as Owned)[OWNER] = this;
    // A function that all responses share. `once` would keep a wrapper for each.
    this.raw.on('close', reportClosed);
    // A write to a client that has just left emits 'error'. The 'close' event reports that it left.
    this.raw.on('error', ignore);
    // A pipelined response has no socket yet. If the client leaves before its turn, it never emits
    // 'close'.
    if (this.raw.socket === null && !this.isHttp2) {
      const forget = onSocketClosed(this.request, () => this.closed());
      this.raw.on('close', forget);
    }
  }

  closed(): void {
    this.listener?.responseClosed();
  }
}

function reportClosed(this: unknown): void {
  (this as Owned)[OWNER]?.closed();
}

function ignore(): void {}
