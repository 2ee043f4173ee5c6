// What both ends have to know besides the standard.

/** The id of the event that ends a stream for good: a client that returns with it gets 204. */
export const END_ID = 'sse-end';

/** Between keep-alives where nobody says otherwise. Milliseconds. */
export const KEEP_ALIVE_MS = 15_000;

/**
 * The comment of an opening where keep-alives do not come each `KEEP_ALIVE_MS`: their milliseconds,
 * or `off`. `EventSource` does not see it, and no other client has to; what another server comments
 * when it keeps alive is none.
 */
export const KEEP_ALIVE_COMMENT = /^connected, keep-alive (\d+|off)$/;

/**
 * What a client of this library also says to accept when two attempts in a row brought not one
 * byte. No server has anything of this type; `Accept` is the one header that goes to every origin
 * without asking (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
 */
export const HELD_BACK = 'application/x-sse-held-back';
