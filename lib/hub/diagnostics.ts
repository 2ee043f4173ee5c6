import type { SseConnection } from '../connection/sse-connection.js';
import type { ConnectionDiagnostics } from '../connection/diagnostics.js';
import { channelOf } from '../ground/channels.js';
import type { LogDiagnostics } from '../log/diagnostics.js';
import type { GapReason } from '../log/event-log.js';
import type { Broadcaster } from './broadcaster.js';

/**
 * The message of each diagnostics channel; see `SSE_CHANNELS`.
 * @publicApi
 */
export interface SseDiagnostics extends ConnectionDiagnostics, LogDiagnostics {
  /**
   * The log accepted an event. `bytes` is its wire text without the id. `hub` is `''` for the
   * default hub.
   */
  publish: {
    readonly hub: string;
    readonly broadcaster: Broadcaster;
    readonly rooms: readonly string[];
    readonly type: string | undefined;
    readonly bytes: number;
  };
  /**
   * Missed events are sent to a returning client. `deliver` counts them as well, when they are
   * written.
   */
  replay: { readonly connection: SseConnection | undefined; readonly events: number };
  /** A client gets an `sse-gap`, because events cannot be replayed. */
  gap: {
    readonly connection: SseConnection | undefined;
    readonly rooms: readonly string[];
    readonly reason: GapReason;
  };
  /**
   * A stream failed after its first byte (`connection`), or an event was not published
   * (`broadcaster`).
   */
  error: {
    readonly error: unknown;
    readonly connection: SseConnection | undefined;
    readonly broadcaster: Broadcaster | undefined;
  };
}

export const diagnostics = {
  publish: channelOf<SseDiagnostics['publish']>('publish'),
  replay: channelOf<SseDiagnostics['replay']>('replay'),
  gap: channelOf<SseDiagnostics['gap']>('gap'),
  error: channelOf<SseDiagnostics['error']>('error'),
};
