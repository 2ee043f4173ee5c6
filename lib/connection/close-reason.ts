/** The reasons that the library sets. */
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
  'gap',
] as const;

/**
 * Why a connection ended.
 * - `client`: the client disconnected.
 * - `complete`: the source completed.
 * - `error`: the source failed.
 * - `server`: `close()` was called without a reason, or other code in this process closed the
 *   socket.
 * - `stall`: the client read nothing for `backpressure.stallTimeoutMs`.
 * - `overflow`: the client read too slowly, and its backlog exceeded `maxBufferedBytes`.
 * - `shutdown`: the app shut down.
 * - `duration`: the stream was open for `maxDurationMs`.
 * - `auth`: the client lost the permission to read it.
 * - `gap`: events that the client missed are lost, and `controls.gap` is `'end'`.
 * - Any other text was passed to `close()`.
 * @publicApi
 */
export type CloseReason = (typeof CLOSE_REASONS)[number] | (string & {});
