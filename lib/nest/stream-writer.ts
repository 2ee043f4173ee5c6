import { HttpException } from '@nestjs/common';
import { Subscription, type Observable, type Observer } from 'rxjs';
import type { Stream } from '../connection/stream.js';
import { diagnostics } from '../connection/diagnostics.js';
import { readable } from '../ground/errors.js';
import { HubEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import { isInContract } from './contract-events.js';
import { toMessage } from './message.js';
import { END_ID, isStateChange } from '../wire/protocol.js';
import { logError, quietly } from '../connection/connection-logger.js';
import { routeOf } from '../output/request.js';
import { warnOfFrozenEvent, warnOfReservedType } from '../ground/warnings.js';

/**
 * Writes what a source emits to a stream. Resolves when the stream has begun or ended. An earlier
 * error rejects, so that an exception filter answers it. A later error is sent in the stream and
 * ends it.
 */
export function writeStream(source: Observable<unknown>, stream: Stream): Promise<void> {
  const { opening, settings } = stream;
  const writer = new StreamWriter(stream);
  stream.onEnd(writer);
  source.subscribe(writer);
  if (settings.holdsOpening) opening?.hold(opening.patience());
  opening?.beginInTurn();
  return opening?.settled ?? Promise.resolve();
}

/**
 * Lives as long as the stream, so it is kept small: RxJS uses an object that is both a subscription
 * and an observer as it is, but wraps a plain observer in three objects.
 */
class StreamWriter extends Subscription implements Observer<unknown> {
  private isStopped = false;

  constructor(private readonly stream: Stream) {
    super();
  }

  next(value: unknown): void {
    if (this.isStopped || this.closed) return;
    try {
      const message = messageOf(value, this.stream);
      if (message !== undefined) this.stream.write(message);
    } catch (error) {
      this.fail(error);
    }
  }

  error(error: unknown): void {
    if (this.isStopped || this.closed) return;
    this.isStopped = true;
    this.fail(error);
  }

  complete(): void {
    if (this.isStopped || this.closed) return;
    this.isStopped = true;
    try {
      complete(this.stream);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(thrown: unknown): void {
    const { stream } = this;
    const error = readable(thrown);
    if (stream.opening?.state === 'waiting') warnOfChangedEvent(error, stream);
    if (stream.opening?.refuse(error) !== true) stream.inContext(() => failLate(error, stream));
  }
}

/**
 * `undefined` for a hub event that the route's contract does not have, that is outdated, or whose
 * rooms have left.
 */
function messageOf(value: unknown, stream: Stream): SseMessage | undefined {
  const { contract, map } = stream.settings;
  if (HubEvent.is(value)) {
    const isSent = contract === undefined || isInContract(value, contract, stream.request);
    const isOutdated = isStateChange(value.type) && stream.cursor.isOutdated(value);
    // mutant: what an operator holds of a room that has left still comes
    const hasLeft = stream.changeable?.hasLeft(value) === true;
    if (isSent && !isOutdated && !hasLeft) return value;
    stream.pass(value);
    return undefined;
  }
  const message = toMessage(value, map);
  warnOfReservedType(message.type);
  return stream.checked(message);
}

function complete(connection: Stream): void {
  if (connection.settings.onComplete === 'close') {
    connection.sendLast('sse-end', { reason: 'complete' }, END_ID);
  }
  connection.close('complete');
}

/** Statuses after which reconnecting is useless. */
const FINAL = new Set([400, 401, 403, 404, 410]);

/**
 * Sends an error in the stream and ends it. After a final status the client does not reconnect, as
 * if the response had this status.
 */
export function failLate(error: unknown, connection: Stream): void {
  if (connection.state === 'closed') return;
  diagnostics.error.publish({ error, connection, broadcaster: undefined });
  warnOfChangedEvent(error, connection);
  try {
    sendError(error, connection);
  } catch (hookError) {
    logError(hookError, connection);
  }
  const isFinal = error instanceof HttpException && FINAL.has(error.getStatus());
  if (isFinal && connection.state === 'open') {
    quietly(connection, () => connection.sendLast('sse-end', { reason: 'error' }, END_ID));
  }
  connection.close('error');
}

function warnOfChangedEvent(error: unknown, { cursor, request }: Stream): void {
  if (cursor.roomCount > 0) warnOfFrozenEvent(error, routeOf(request));
}

function sendError(error: unknown, connection: Stream): void {
  const { onError } = connection.settings;
  if (onError === undefined) {
    logError(error, connection);
    return connection.sendLast('sse-error', errorBody(error));
  }
  const message = onError(error, connection);
  if (message) connection.writeLast(message);
}

/** The body that the client would get as a response. Other errors may hold secrets. */
function errorBody(error: unknown): object {
  if (!(error instanceof HttpException)) {
    return { statusCode: 500, message: 'Internal server error' };
  }
  const body = error.getResponse();
  return typeof body === 'object' ? body : { statusCode: error.getStatus(), message: body };
}
