import http, { type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SseOptionsError } from '../ground/errors.js';
import { encodeFrame, type SseMessage } from '../wire/frame.js';
import { lastEventIdOf } from '../output/request.js';

/**
 * A message of `mockSseServer()`.
 * @publicApi
 */
export interface ScriptedMessage extends SseMessage {
  /**
   * How long to wait before it. Milliseconds.
   * @default 0
   */
  delayMs?: number;
}

/**
 * A request that a `MockSseServer` has got.
 * @publicApi
 */
export interface ReceivedRequest {
  readonly method: string;
  /** The path and the query. */
  readonly url: string;
  /** Their names are in lower case. */
  readonly headers: IncomingHttpHeaders;
}

/**
 * A server of one scripted stream, made by `mockSseServer()`.
 * @publicApi
 */
export class MockSseServer {
  private readonly received: ReceivedRequest[] = [];
  private readonly refusals: { readonly status: number; readonly headers: Headers }[] = [];
  private readonly open = new Set<ServerResponse>();
  private readonly server = http.createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    response.setHeaders(new Headers(corsHeaders(headers)));
    // A browser asks whether it may come back with `Last-Event-ID`.
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
    // It rejects when the client leaves in the middle.
    play(response, this.script.slice(seen + 1), left.signal).catch(() => {});
  });

  /** @internal */
  constructor(private readonly script: readonly ScriptedMessage[]) {}

  /** All requests so far, without those of browsers that only ask what they may. */
  get requests(): readonly ReceivedRequest[] {
    return this.received;
  }

  /** @internal */
  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** Where it answers, under any path. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /**
   * Sends a message to all clients that are there, whatever is left of their script.
   * @throws SseInvalidFieldError, SseSerializeError
   */
  send(message: SseMessage): void {
    const frame = encodeFrame(message);
    for (const response of this.open) response.write(frame);
  }

  /**
   * Answers the next request with this status and these headers instead of the stream; called
   * again, also the one after it. Streams that are open stay.
   * @throws SseOptionsError for what is no status; TypeError for a header that cannot be sent
   * @example `server.refuse(503, { 'Retry-After': '1' }); server.refuse(401);`
   */
  refuse(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new SseOptionsError('status', 'an integer from 200 to 599', status);
    }
    this.refusals.push({ status, headers: new Headers(headers) });
  }

  /**
   * Ends all open streams, as a server does that has nothing more to say. Clients may come back.
   */
  end(): void {
    for (const response of this.open) response.end();
  }

  /**
   * Destroys the sockets of all open streams, as a network does that fails. Clients may come back.
   */
  cut(): void {
    for (const response of this.open) response.destroy();
  }

  /** Cuts all, and listens no more. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}

/**
 * A real server for tests of clients, on a free port. Each client gets the script from its
 * beginning, or, if it comes back with the id of a message, what follows that one; then its stream
 * stays open.
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

/**
 * A page of any origin may send what it asks for, with or without cookies, and read `Retry-After`.
 */
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
