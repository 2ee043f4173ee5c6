import type { Subscriber } from 'rxjs';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SseOptionsError } from '../ground/errors.js';
import type { SseConnection } from './sse-connection.js';
import { Stream } from './stream.js';

/** The stream whose handler or subscription is running. */
export const currentStream = new AsyncLocalStorage<Stream>();

/**
 * Returns the engine of a connection that an app passed.
 * @throws SseOptionsError for anything that this library did not create
 */
export function streamOf(connection: SseConnection): Stream {
  if (connection instanceof Stream) return connection;
  const expected = 'the SseConnection from @Connection(), or from fakeConnection() in tests';
  throw new SseOptionsError('connection', expected, connection);
}

/** A subscriber that is not the connection itself would otherwise stay in the rooms. */
export function endWith({ signal }: Stream, subscriber: Subscriber<unknown>): void {
  const end = (): void => subscriber.complete();
  if (signal.aborted) return end();
  signal.addEventListener('abort', end, { once: true });
  subscriber.add(() => signal.removeEventListener('abort', end));
}
