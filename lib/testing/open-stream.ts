import type { INestApplication } from '@nestjs/common';
import type { Server } from 'node:net';
import { TestStream } from './test-stream.js';
import { DEFAULT_TIMEOUT_MS } from './watch.js';

/**
 * The options of `openStream()`.
 * @publicApi
 */
export interface OpenStreamOptions {
  /**
   * The HTTP method.
   * @default 'GET'
   */
  method?: string;
  /** The request headers. */
  headers?: Record<string, string>;
  /** The request body. Set its `content-type` in `headers`. */
  body?: string;
  /** The `Last-Event-ID` of a returning client. */
  lastEventId?: string;
  /**
   * Uses HTTP/2, for an app that speaks only that.
   * @default false
   */
  http2?: boolean;
  /**
   * How long to wait for the response, and for each event, in milliseconds. `Infinity`: no timeout.
   * @default 2_000
   */
  timeoutMs?: number;
}

/**
 * Opens a stream of the app over a real socket. If the app is not listening, it is started on a
 * free local port. Resolves when there is a response, whatever its status. The stream ends with the
 * app; a paused stream delays `app.close()`.
 * @throws Error if there is no response in time
 * @example
 * ```ts
 * const stream = await openStream(app, '/orders');
 * await app.get(Broadcaster).to('orders').emit('created', { no: 1 });
 * expect(await stream.next('created')).toMatchObject({ data: { no: 1 } });
 * stream.close();
 * ```
 * @publicApi
 */
export async function openStream(
  app: INestApplication,
  path: string,
  options: OpenStreamOptions = {},
): Promise<TestStream> {
  const { lastEventId, timeoutMs = DEFAULT_TIMEOUT_MS, ...request } = options;
  await listen(app);
  const url = new URL(path, await app.getUrl()).href;
  return TestStream.open({ request: { ...request, url }, lastEventId, timeoutMs, earlier: [] });
}

/** Apps that are being started, so that two concurrent calls start an app once. */
const listening = new WeakMap<INestApplication, Promise<unknown>>();

async function listen(app: INestApplication): Promise<void> {
  const { listening: isListening } = app.getHttpServer() as Server;
  if (isListening) return;
  if (!listening.has(app)) listening.set(app, app.listen(0, '127.0.0.1'));
  await listening.get(app);
}
