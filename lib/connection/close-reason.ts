/** The reasons that the library itself gives. */
export const CLOSE_REASONS = [
  'client',
  'complete',
  'error',
  'server',
  'stall',
  'overflow',
  'shutdown',
  'duration',
  'auth',
] as const;

/**
 * Why a connection ended.
 * - `client`: the client left.
 * - `complete`, `error`: the source completed or failed.
 * - `server`: `close()` was called without a reason, or something else in this process cut the
 *   connection.
 * - `stall`: the client took nothing for too long.
 * - `overflow`: the client took too little.
 * - `shutdown`: the app shut down.
 * - `duration`: the stream was open for `maxDurationMs`.
 * - `auth`: the client may not read it any more.
 * - Any other text was given to `close()`.
 * @publicApi
 */
export type CloseReason = (typeof CLOSE_REASONS)[number] | (string & {});
