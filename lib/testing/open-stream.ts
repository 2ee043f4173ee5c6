import type { INestApplication } from '@nestjs/common';
import type { Server } from 'node:net';
import { TestStream } from './test-stream.js';
import { DEFAULT_TIMEOUT_MS } from './watch.js';

/**
 * What `openStream()` sends, and how long it waits.
 * @publicApi
 */
export interface OpenStreamOptions {
  /** @default 'GET' */
  method?: string;
  headers?: Record<string, string>;
  /** As it is; set its `content-type` in `headers`. */
  body?: string;
  /** Comes back with this `Last-Event-ID`. */
  lastEventId?: string;
  /** Over HTTP/2, for an app that speaks only that. */
  http2?: boolean;
  /**
   * How long each wait may take: for the response, and for an event. Milliseconds; `Infinity` waits
   * on.
   * @default 2_000
   */
  timeoutMs?: number;
}

/**
 * Opens a stream of the app on a real socket. An app that does not listen yet is made to, on a free
 * port of this machine. Resolves when there is a response, whatever its status. The stream ends
 * with the app; a paused one holds up `app.close()`.
 * @throws Error when there is no response in time
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
  return TestStream.open({ request: { ...request, url }, lastEventId, timeoutMs });
}

/** Apps that were asked to listen: two streams that open at once ask one time. */
const listening = new WeakMap<INestApplication, Promise<unknown>>();

async function listen(app: INestApplication): Promise<void> {
  const { listening: isListening } = app.getHttpServer() as Server;
  if (isListening) return;
  if (!listening.has(app)) listening.set(app, app.listen(0, '127.0.0.1'));
  await listening.get(app);
}
