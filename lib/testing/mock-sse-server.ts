import http, { type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SseOptionsError } from '../ground/errors.js';
import { encodeFrame, type SseMessage } from '../wire/frame.js';
import { lastEventIdOf } from '../output/request.js';

/**
 * A message in the script of `mockSseServer()`.
 * @publicApi
 */
export interface ScriptedMessage extends SseMessage {
  /**
   * The pause before this message, in milliseconds.
   * @default 0
   */
  delayMs?: number;
}

/**
 * A request that a `MockSseServer` has received.
 * @publicApi
 */
export interface ReceivedRequest {
  readonly method: string;
  /** The path and the query. */
  readonly url: string;
  /** The headers, with names in lower case. */
  readonly headers: IncomingHttpHeaders;
}

/**
 * A server with one scripted stream, created by `mockSseServer()`.
 * @publicApi
 */
export class MockSseServer {
  private readonly received: ReceivedRequest[] = [];
  private readonly refusals: { readonly status: number; readonly headers: Headers }[] = [];
  private readonly open = new Set<ServerResponse>();
  private readonly server = http.createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    response.setHeaders(new Headers(corsHeaders(headers)));
    // A browser's preflight for `Last-Event-ID`.
    if (method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    this.received.push({ method, url, headers });
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      response.setHeaders(refusal.headers).writeHead(refusal.status).end();
      return;
    }
    this.open.add(response);
    const left = new AbortController();
    response.on('close', () => {
      this.open.delete(response);
      left.abort();
    });
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    const seen = this.script.findIndex(({ id }) => String(id) === lastEventIdOf(request));
    // It rejects if the client disconnects in the middle.
    play(response, this.script.slice(seen + 1), left.signal).catch(() => {});
  });

  /** @internal */
  constructor(private readonly script: readonly ScriptedMessage[]) {}

  /** All requests so far, except preflights of browsers. */
  get requests(): readonly ReceivedRequest[] {
    return this.received;
  }

  /** @internal */
  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** The URL of the server. Every path has the stream. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /**
   * Sends a message to all connected clients now, whatever is left of the script.
   * @throws SseInvalidFieldError, SseSerializeError
   */
  send(message: SseMessage): void {
    const frame = encodeFrame(message);
    for (const response of this.open) response.write(frame);
  }

  /**
   * Answers the next request with this status and these headers instead of the stream. Each further
   * call refuses one more request. Open streams stay open.
   * @throws SseOptionsError for an invalid status; TypeError for an invalid header
   * @example `server.refuse(503, { 'Retry-After': '1' }); server.refuse(401);`
   */
  refuse(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new SseOptionsError('status', 'an integer from 200 to 599', status);
    }
    this.refusals.push({ status, headers: new Headers(headers) });
  }

  /** Ends all open streams, as a server that is done. Clients may reconnect. */
  end(): void {
    for (const response of this.open) response.end();
  }

  /** Destroys the sockets of all open streams, as a failing network. Clients may reconnect. */
  cut(): void {
    for (const response of this.open) response.destroy();
  }

  /** Destroys all streams and stops the server. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}

/**
 * Starts a real server on a free port, for tests of clients. Each client gets the script from its
 * beginning or, if its last event ID is the id of a message, from the next message on. Then its
 * stream stays open.
 * @throws SseInvalidFieldError, SseSerializeError for a message that cannot be sent
 * @example
 * ```ts
 * const server = await mockSseServer([
 *   { type: 'price', id: 1, data: 42 },
 *   { type: 'price', id: 2, data: 43, delayMs: 50 },
 * ]);
 * for await (const { data } of connect(server.url)) {
 *   if (data === 42) server.cut();
 *   if (data === 43) break;
 * }
 * expect(server.requests[1]?.headers).toMatchObject({ 'last-event-id': '1' });
 * await server.close();
 * ```
 * @publicApi
 */
export async function mockSseServer(script: readonly ScriptedMessage[]): Promise<MockSseServer> {
  for (const message of script) frameOf(message);
  return new MockSseServer(script).listen();
}

/** Allows pages of any origin all requests, with cookies too, and to read `Retry-After`. */
function corsHeaders(asked: IncomingHttpHeaders): Record<string, string> {
  return {
    'Access-Control-Allow-Origin': asked.origin ?? '*',
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Allow-Methods': asked['access-control-request-method'] ?? '*',
    'Access-Control-Allow-Headers': asked['access-control-request-headers'] ?? '*',
    'Access-Control-Expose-Headers': 'Retry-After',
  };
}

function frameOf({ delayMs: _delayMs, ...message }: ScriptedMessage): string {
  return encodeFrame(message);
}

async function play(
  response: ServerResponse,
  script: readonly ScriptedMessage[],
  signal: AbortSignal,
): Promise<void> {
  for (const message of script) {
    if (message.delayMs !== undefined) await delay(message.delayMs, undefined, { signal });
    if (!response.writableEnded) response.write(frameOf(message));
  }
}
