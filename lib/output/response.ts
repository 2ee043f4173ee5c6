import { validateHeaderValue, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { SseNotStreamableError } from '../ground/errors.js';
import { wasClosedHere, watchClosing } from './closed-here.js';
import { hasBody } from '../wire/negotiation.js';
import { isFastifyReply, writeAfterHooks } from './fastify-hooks.js';
import { onSocketClosed } from './pipelined.js';
import { routeOf, type HttpRequest } from './request.js';
import { pauseIdleTimeout, type Timed } from './idle-timeouts.js';
import { allowEnd, ignoreLateAnswers, type ResponseOwner } from './late-answers.js';
import { EVENT_STREAM, mergeHeaders, STREAM_HEADERS, streamHeaders } from './stream-headers.js';

/** The response as Express or Fastify hand it to a handler. */
export interface HttpResponse {
  readonly raw?: ServerResponse | Http2ServerResponse;
  readonly statusCode: number;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  removeHeader(name: string): unknown;
  hijack?(): void;
}

/**
 * Node frames the body: with a length of somebody else's, what follows it would be read as another
 * response.
 */
const FRAMING_HEADERS = ['content-length', 'transfer-encoding'];

/**
 * The response of one stream: what Express and Fastify, HTTP/1.1 and HTTP/2 do differently ends
 * here.
 */
export class StreamResponse implements ResponseOwner {
  readonly raw: ServerResponse;
  /** Nest's own, or that of `@HttpCode()`: the handler may set another one. */
  readonly declaredStatus: number;
  private readonly request: IncomingMessage;
  isEnding = false;
  realEnd: ResponseOwner['realEnd'];

  /** @throws SseNotStreamableError when something has answered already */
  constructor(
    private readonly platformRequest: HttpRequest,
    readonly response: HttpResponse,
    private readonly later: (write: () => void) => void = (write) => write(),
  ) {
    this.declaredStatus = response.statusCode;
    // HTTP/2's classes have the same methods as far as we use them.
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

  /** Somebody else has answered. */
  get isAnswered(): boolean {
    return this.raw.headersSent || this.raw.writableEnded;
  }

  /**
   * Checks what the stream begins with, and writes the head when `later` says so: until then,
   * interceptors that see the handler's result may still set headers or refuse. Fastify runs its
   * `onSend` hooks before. Then calls `written`; or `refused`, when somebody else has answered, or
   * with an error.
   * @throws SseNotStreamableError for a status without a body; what Node throws for a header
   */
  begin(
    headers: Readonly<Record<string, string>>,
    written: () => void,
    refused: (error?: unknown) => void,
  ): void {
    this.checkStatus();
    this.checkHeaders();
    const write = (): void => {
      if (this.isGone) return;
      if (this.isAnswered) return refused();
      try {
        this.writeStreamHead(headers);
      } catch (error) {
        return refused(error);
      }
      written();
    };
    // Fastify answers a HEAD by itself if it is given a payload.
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
   * Fastify takes any from the app. One that Node refuses would also be on the answer of an
   * exception filter.
   */
  private checkHeaders(): void {
    for (const [name, value] of Object.entries(this.response.getHeaders())) {
      try {
        for (const one of [value].flat()) validateHeaderValue(name, String(one));
      } catch (error) {
        this.response.removeHeader(name);
        throw error;
      }
    }
  }

  private writeStreamHead(headers: Readonly<Record<string, string>>): void {
    this.checkStatus();
    const connection = this.keepsConnection ? { Connection: 'keep-alive' } : {};
    const all = streamHeaders(connection, this.response.getHeaders(), headers);
    this.writeHead(this.response.statusCode, all);
    ignoreLateAnswers(this.raw, this.response, this);
    watchClosing(this.transport);
    for (const timed of this.isHttp2 ? http2Of(this.raw) : [this.request.socket]) {
      const resume = pauseIdleTimeout(timed);
      if (resume !== undefined) this.raw.once('close', resume);
    }
  }

  /** Not what the request says of itself: on a socket of HTTP/1.1 it may say anything. */
  private get isHttp2(): boolean {
    return 'stream' in this.raw;
  }

  /**
   * The header is forbidden on HTTP/2, on HTTP/1.0 the client would wait for a length, and `close`
   * is the client's word.
   */
  private get keepsConnection(): boolean {
    const { httpVersion, headers } = this.request;
    return httpVersion === '1.1' && !/\bclose\b/i.test(headers.connection ?? '');
  }

  /** A socket; a stream of HTTP/2. */
  private get transport(): Socket | ServerHttp2Stream {
    const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
    return stream ?? this.request.socket;
  }

  /** For the log. */
  get route(): string {
    return `${this.request.method} ${routeOf(this.platformRequest)}`;
  }

  /**
   * Whether the response was cut from inside this process: its client has neither ended nor broken
   * the connection.
   */
  get isCutHere(): boolean {
    if (wasClosedHere(this.transport)) return true;
    if (this.isHttp2) {
      const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
      // A client that resets its stream also ends what it sends. A reset with a code looks the same
      // from both ends.
      return stream?.rstCode === 0 && !stream.readableEnded;
    }
    const { socket } = this.request;
    if (socket.readableEnded || !socket.destroyed) return false;
    // An error of the network has a code, and so has one of Node's parser.
    return socket.errored === null || !('code' in socket.errored);
  }

  /** The response ends now, with what follows it; for others it still does not. */
  allowEnd(): void {
    allowEnd(this.raw, this);
  }

  /** For an exception filter's answer: when a client may come back. Seconds. */
  set retryAfter(seconds: number) {
    this.raw.setHeader('Retry-After', seconds);
  }

  /**
   * Answers without opening a stream: the client should not come back (204), or come back later.
   */
  answer(status: number, headers: Readonly<Record<string, string>>, body?: string): void {
    const type = body === undefined ? {} : { 'Content-Type': EVENT_STREAM };
    // Or the client would come back on the same socket, and a server that closes would wait for it.
    const close = this.request.httpVersionMajor === 1 ? { Connection: 'close' } : {};
    const sources = [STREAM_HEADERS, this.response.getHeaders(), headers, type, close];
    this.writeHead(status, mergeHeaders(sources));
    this.raw.end(this.isHead ? undefined : body);
  }

  /**
   * Of HTTP/2: what is open on it goes on, and its client opens another for what comes. A server
   * that closes would wait for it.
   */
  endSession(): void {
    if (!this.isHttp2) return;
    const { stream } = this.raw as unknown as Partial<Http2ServerResponse>;
    stream?.session?.close();
  }

  private writeHead(status: number, headers: ReturnType<typeof mergeHeaders>): void {
    const framed = new Map(Object.entries(headers));
    for (const name of FRAMING_HEADERS) {
      for (const known of framed.keys()) if (known.toLowerCase() === name) framed.delete(known);
      if (this.raw.hasHeader(name)) this.raw.removeHeader(name);
    }
    this.raw.writeHead(status, Object.fromEntries(framed));
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

/** What has a timeout of its own under a response of HTTP/2. */
function http2Of(raw: ServerResponse): Timed[] {
  const { stream } = raw as unknown as Partial<Http2ServerResponse>;
  return stream === undefined ? [] : [stream, ...(stream.session ? [stream.session] : [])];
}
