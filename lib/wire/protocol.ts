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
