import { SseError } from './errors.js';

/**
 * The rooms of an open stream were not changed. `Broadcaster.changeRooms()` throws it as the
 * `cause` of an `HttpException` with this status.
 * @publicApi
 */
export class SseRoomsError extends SseError {
  constructor(
    /**
     * - 400: the request is not one, or names too many rooms.
     * - 403: `authorize` says no, or the stream is of another user.
     * - 404: no stream has this token (any more). The client takes the newest one, and asks again.
     * - 409: another connection goes on with the stream.
     * - 503: the log, or the process of the stream, does not answer, or a room is full.
     */
    readonly statusCode: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super('SSE_ROOMS', message, options);
  }
}
