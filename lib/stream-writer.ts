import { HttpException, Logger } from '@nestjs/common';
import { Subscriber, type Observable } from 'rxjs';
import type { SseConnection } from './connection.js';
import { HubEvent } from './event.js';
import type { SseMessage } from './frame.js';
import { toMessage } from './message.js';
import { warnOfReservedType } from './reserved-types.js';

/** The id of the last event of a stream that is over: who brings it has read everything. */
export const END_ID = 'sse-end';

const logger = new Logger('Sse');

/**
 * Writes what a source emits to a connection. Resolves when the stream has begun: with the first message, or without one
 * in the next turn of the event loop. An error before that rejects, and somebody else answers; a later one is told in the
 * stream and ends it.
 */
export function writeStream(source: Observable<unknown>, connection: SseConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (connection.state !== 'opening') return failLate(error, connection);
      // In this order: the end of the connection resolves.
      reject(error);
      connection.abandon();
    };
    const attempt = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        fail(error);
      }
    };
    const subscriber = new Subscriber<unknown>({
      next: (value) => attempt(() => connection.write(messageOf(value, connection))),
      error: fail,
      complete: () => attempt(() => complete(connection)),
    });
    connection.onBegun(resolve);
    connection.onEnd(() => {
      subscriber.unsubscribe();
      resolve();
    });
    source.subscribe(subscriber);
    setImmediate(() => attempt(() => connection.open()));
  });
}

function messageOf(value: unknown, { settings }: SseConnection): SseMessage {
  if (value instanceof HubEvent) return value;
  const message = toMessage(value, settings.map);
  warnOfReservedType(message.type);
  return message;
}

function complete(connection: SseConnection): void {
  if (connection.settings.onComplete === 'close') {
    connection.tell({ type: 'sse-end', id: END_ID, data: { reason: 'complete' } });
  }
  connection.close('complete');
}

function failLate(error: unknown, connection: SseConnection): void {
  if (connection.state === 'closed') return;
  try {
    const message = lastMessage(error, connection);
    if (message) connection.tell(message);
  } catch (hookError) {
    logger.error(hookError);
  }
  connection.close('error');
}

function lastMessage(error: unknown, connection: SseConnection): SseMessage | undefined | void {
  const { onError } = connection.settings;
  if (onError !== undefined) return onError(error, connection);
  logger.error(error);
  return { type: 'sse-error', data: errorBody(error) };
}

/** What the client would have got as a response; for anything but an `HttpException`, nothing that could be a secret. */
function errorBody(error: unknown): object {
  if (!(error instanceof HttpException)) {
    return { statusCode: 500, message: 'Internal server error' };
  }
  const body = error.getResponse();
  return typeof body === 'object' ? body : { statusCode: error.getStatus(), message: body };
}
