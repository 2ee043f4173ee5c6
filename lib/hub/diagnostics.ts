import type { SseConnection } from '../connection/sse-connection.js';
import type { ConnectionDiagnostics } from '../connection/diagnostics.js';
import { channelOf } from '../ground/channels.js';
import type { LogDiagnostics } from '../log/diagnostics.js';
import type { GapReason } from '../log/event-log.js';
import type { Broadcaster } from './broadcaster.js';

/**
 * What is published on the diagnostics channel of each name; see `SSE_CHANNELS`.
 * @publicApi
 */
export interface SseDiagnostics extends ConnectionDiagnostics, LogDiagnostics {
  /**
   * The log has accepted an event; `bytes` of wire text without its id. `hub` is `''` for the
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
   * Missed events are handed to a client that has returned. They are counted by `deliver` too, when
   * they are written.
   */
  replay: { readonly connection: SseConnection | undefined; readonly events: number };
  /** A client is told that events cannot be replayed. */
  gap: {
    readonly connection: SseConnection | undefined;
    readonly rooms: readonly string[];
    readonly reason: GapReason;
  };
  /**
   * A stream has failed after its first byte (`connection`), or an event was not published
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
