import type { SseConnection } from '../connection/sse-connection.js';
import type { ConnectionDiagnostics } from '../connection/diagnostics.js';
import { channelOf } from '../ground/channels.js';
import type { LogDiagnostics } from '../log/diagnostics.js';
import type { GapReason } from '../log/event-log.js';
import type { Broadcaster } from './broadcaster.js';

/**
 * The message of each channel in `SSE_CHANNELS`, by name.
 * @publicApi
 */
export interface SseDiagnostics extends ConnectionDiagnostics, LogDiagnostics {
  /**
   * The log has accepted an event. `hub` is the name of the hub, `''` for the default hub. `bytes`
   * is the size of the wire text without the id.
   */
  publish: {
    readonly hub: string;
    readonly broadcaster: Broadcaster;
    readonly rooms: readonly string[];
    readonly type: string | undefined;
    readonly bytes: number;
  };
  /** Missed events are replayed to a client. `deliver` counts them too, when they are written. */
  replay: { readonly connection: SseConnection | undefined; readonly events: number };
  /** A client gets `sse-gap`, because missed events of these rooms cannot be replayed. */
  gap: {
    readonly connection: SseConnection | undefined;
    readonly rooms: readonly string[];
    readonly reason: GapReason;
  };
  /**
   * A stream failed after its first byte (`connection` is set), or an event was not published
   * (`broadcaster` is set).
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
