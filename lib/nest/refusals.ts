import {
  BadRequestException,
  HttpException,
  HttpStatus,
  NotAcceptableException,
} from '@nestjs/common';
import type { RefusalReason } from '../connection/diagnostics.js';
import type { StreamSettings } from '../connection/stream-settings.js';
import { SseError, SseInvalidFieldError, SseLimitError } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import { acceptsEventStream } from '../wire/negotiation.js';

/** How many characters of a header go into a message. */
const MAX_SHOWN = 200;

type AcceptSettings = Pick<StreamSettings, 'ignoresAccept'>;

/** @throws NotAcceptableException if the client does not accept event streams */
export function requireAccepted(request: HttpRequest, settings: AcceptSettings): void {
  const error = notAcceptable(request, settings);
  if (error !== undefined) throw error;
}

export function notAcceptable(
  { headers: { accept } }: HttpRequest,
  { ignoresAccept }: AcceptSettings,
): NotAcceptableException | undefined {
  if (ignoresAccept || acceptsEventStream(accept)) return undefined;
  return new NotAcceptableException(
    `this route answers with text/event-stream, which the header "Accept: ${accept?.slice(0, MAX_SHOWN)}" excludes`,
  );
}

const WHY_NOT: Record<RefusalReason, string> = {
  process: 'The server has too many open streams',
  key: 'You have too many open streams',
  rate: 'You open streams too often',
  room: 'This room is full',
  shutdown: 'The server is shutting down',
  log: 'Events are temporarily unavailable',
};

/** The error for a client that uses `fetch` and is refused. */
export function refusalOf(reason: RefusalReason, seconds: number): HttpException {
  const isClients = reason === 'key' || reason === 'rate';
  const statusCode = isClients ? HttpStatus.TOO_MANY_REQUESTS : HttpStatus.SERVICE_UNAVAILABLE;
  const message = `${WHY_NOT[reason]}; try again in ${seconds} s`;
  return new HttpException({ statusCode, message, reason }, statusCode);
}

/**
 * The reason to refuse a stream that failed before it began. `undefined`: this error is a failure,
 * not a refusal.
 */
export function reasonOf(error: unknown): RefusalReason | undefined {
  if (error instanceof SseLimitError && error.limit === 'maxPerRoom') return 'room';
  return error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE' ? 'log' : undefined;
}

/** Room names often come from the URL, so a wrong name, or too many, is the client's error. */
export function toHttpError(error: unknown): unknown {
  const isTooManyRooms = error instanceof SseLimitError && error.limit === 'maxRoomsPerConnection';
  if (isTooManyRooms || (error instanceof SseInvalidFieldError && error.field === 'room')) {
    return new BadRequestException(error.message, { cause: error });
  }
  return error;
}
