import { SseOptionsError } from '../ground/errors.js';
import type { Gap } from '../log/event-log.js';
import { defined } from '../options/defined.js';
import * as rules from '../options/rules.js';
import type { SseMessage } from '../wire/frame.js';
import type { SseConnection } from './sse-connection.js';

/**
 * What a client may know of an error: the response of an `HttpException`, or a neutral text.
 * @publicApi
 */
export interface ControlError {
  readonly statusCode?: number;
  readonly message?: unknown;
  readonly [property: string]: unknown;
}

/**
 * What a stream says instead of its control events, in the words of another protocol. A function
 * returns the message, whose `data` is written like that of any message. Messages that go on have
 * no `id`: the stream sets it.
 * @example
 * controls: {
 *   gap: 'end',
 *   error: ({ message }) => ({ data: { type: 'error', errorText: String(message) } }),
 *   end: ({ reason }) => (reason === 'complete' ? { data: '[DONE]' } : false),
 * }
 * @publicApi
 */
export interface ControlOptions {
  /**
   * Instead of `sse-gap`. `'end'`, or a function that returns it, ends the stream where the gap
   * would be, with the reason `gap`: the client gets what `end` says, and is not let in again with
   * its last event ID. A slow client is cut with the reason `overflow` instead, before the events
   * that it would lose, and may come back for them.
   * @default sends `event: sse-gap`
   */
  gap?: 'end' | ((gap: Gap, connection: SseConnection) => SseMessage | 'end');
  /**
   * Instead of `sse-error`. The stream ends after it; `'end'` ends it without a message. The error
   * is logged, and the function gets only what a client may know. For the error itself, use
   * `onError`; a stream has one of the two.
   * @default sends `event: sse-error`
   */
  error?: 'end' | ((error: ControlError, connection: SseConnection) => SseMessage | 'end');
  /**
   * Instead of `sse-end`; the `reason` is `complete`, `error`, `auth` or `gap`. `false`, or a
   * function that returns it, sends no event, for protocols whose data has the end. The id that
   * keeps an `EventSource` from coming back is still sent, unless the message has one.
   * @default sends `event: sse-end`
   */
  end?: false | ((end: { reason: string }, connection: SseConnection) => SseMessage | false);
  /**
   * What happens when the stream ends before its source does: the app shuts down, `maxDurationMs`
   * is over, or the app calls `close()`. `'break'` breaks the connection, for clients that take the
   * end of the response for that of the data: what fails, they can ask for again.
   * @default ends the response
   */
  early?: 'break';
  /**
   * Instead of `sse-open`. `false` sends no event: the client cannot change its rooms then, but
   * `Broadcaster.changeRooms()` can.
   * @default sends `event: sse-open`
   */
  open?:
    | false
    | ((
        open: { stream: string; rooms: readonly string[] },
        connection: SseConnection,
      ) => SseMessage | false);
  /**
   * Instead of `sse-rooms`. `false` sends no event, only the id.
   * @default sends `event: sse-rooms`
   */
  rooms?:
    | false
    | ((change: { rooms: readonly string[] }, connection: SseConnection) => SseMessage | false);
}

/** A control event that leaves nothing but its words out. */
const orLeftOut = rules.orFalse(rules.rule('a function, or false', isFunction));

/** One that tells of a loss: it is told, or the stream ends. */
function orEnd(remedy: string): rules.Rule {
  return (path, value) => {
    if (value === undefined || value === 'end' || isFunction(value)) return;
    const problem = value === false ? remedy : undefined;
    throw new SseOptionsError(path, `a function, or 'end'`, value, problem);
  };
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

/**
 * Both say what a client is told of an error.
 * @throws SseOptionsError
 */
export const checkErrorWords: rules.Rule = (_path, options) => {
  const { onError, controls } = (options ?? {}) as {
    onError?: unknown;
    controls?: ControlOptions;
  };
  if (onError === undefined || controls?.error === undefined) return;
  const problem = 'onError is set too; set one of the two';
  throw new SseOptionsError('controls.error', 'undefined beside onError', controls.error, problem);
};

/** The controls of the module and those of a stream, each of which replaces the module's. */
export function mergedControls(
  module: ControlOptions | undefined,
  stream: ControlOptions | undefined,
  hasOwnOnError: boolean,
): ControlOptions | undefined {
  const { error: ofModule, ...others } = module ?? {};
  const inherited =
    hasOwnOnError || ofModule === undefined ? others : { ...others, error: ofModule };
  const merged = { ...inherited, ...defined(stream ?? {}) };
  return Object.keys(merged).length === 0 ? undefined : merged;
}

/** @throws SseOptionsError */
export const checkControls = rules.object({
  gap: orEnd(
    "a client must learn that it lost events; return a message of its protocol, or use 'end'",
  ),
  error: orEnd("an error always ends the stream; use 'end' to end it without a message"),
  end: orLeftOut,
  early: rules.oneOf('break'),
  open: orLeftOut,
  rooms: orLeftOut,
});
