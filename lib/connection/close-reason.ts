/** The reasons that the library itself uses. */
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
 * - `stall`: the client read nothing for `stallTimeoutMs`.
 * - `overflow`: the client was too slow, and its backlog was full.
 * - `shutdown`: the app shut down.
 * - `duration`: the stream was open for `maxDurationMs`.
 * - `auth`: the client lost its permission.
 * - Any other text was passed to `close()`.
 * @publicApi
 */
export type CloseReason = (typeof CLOSE_REASONS)[number] | (string & {});
