// What server and client agree on beyond the WHATWG standard.

/** The id of the event that ends a stream permanently. A client that returns with it gets 204. */
export const END_ID = 'sse-end';

/** The default keep-alive interval, in milliseconds. */
export const KEEP_ALIVE_MS = 15_000;

/**
 * The opening comment that announces a keep-alive interval other than `KEEP_ALIVE_MS`, in
 * milliseconds, or `off`. Only the client of this library reads it. The `^` and `$` keep other
 * servers' comments from matching.
 */
export const KEEP_ALIVE_COMMENT = /^connected, keep-alive (\d+|off)$/;

/**
 * The client of this library adds this media type, which no server sends, to `Accept` after two
 * attempts in a row brought no byte: the server then warns that something holds its streams back.
 * `Accept` needs no CORS preflight (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
 */
export const HELD_BACK = 'application/x-sse-held-back';

/**
 * The client of this library adds this media type to `Accept`, because it keeps what a last event
 * ID says beside the cursors. Others get that with the id of every event.
 */
export const KEEPS_TAIL = 'application/x-sse-rooms';

/** What tells the client of a stream whose rooms can change how to change them, and the change. */
export const SSE_OPEN = 'sse-open';
export const SSE_ROOMS = 'sse-rooms';

/** The type of the event that begins the state of rooms, and of those that change an entry. */
export const SSE_STATE = 'sse-state';
export const SSE_SET = 'sse-set';
export const SSE_DELETE = 'sse-delete';

/** Whether events of this type change an entry of a state room. */
export function isStateChange(type: string | undefined): boolean {
  return type === SSE_SET || type === SSE_DELETE;
}
