import { channelOf } from '../ground/channels.js';
import type { HttpRequest } from '../output/request.js';
import type { CloseReason } from './close-reason.js';
import type { SseConnection } from './sse-connection.js';
import type { SseConnections } from './sse-connections.js';

/**
 * Why a connection was refused.
 * - `process`: `limits.maxConnections`.
 * - `key`: `limits.maxPerKey`.
 * - `rate`: `limits.connectRate`.
 * - `room`: `limits.maxPerRoom`.
 * - `shutdown`: the app is shutting down.
 * - `log`: the log of the stream is unavailable.
 * @publicApi
 */
export type RefusalReason = 'process' | 'key' | 'rate' | 'room' | 'shutdown' | 'log';

/**
 * The messages of the diagnostics channels about connections.
 * @publicApi
 */
export interface ConnectionDiagnostics {
  /** A stream has begun, `openingMs` after its guards have passed. */
  open: { readonly connection: SseConnection; readonly openingMs: number };
  /** A stream has ended, after `durationMs`. */
  close: {
    readonly connection: SseConnection;
    readonly reason: CloseReason;
    readonly durationMs: number;
  };
  /** A connection was refused. `connections` are those of its app. */
  refuse: {
    readonly reason: RefusalReason;
    readonly request: HttpRequest;
    readonly connections: SseConnections;
  };
  /**
   * Data was written to the socket of a connection. Keep-alives and the beginning of a stream count
   * as bytes, not as events. With `compression`, the bytes are compressed.
   */
  deliver: { readonly connection: SseConnection; readonly events: number; readonly bytes: number };
  /** Events were dropped for a client that reads too slowly. */
  drop: { readonly connection: SseConnection; readonly events: number };
  /** A client read nothing for too long, so its socket is destroyed. */
  stall: { readonly connection: SseConnection; readonly bufferedBytes: number };
  /**
   * A stream failed after its first byte (`connection` is set), or an event was not published
   * (`broadcaster` is set).
   */
  error: {
    readonly error: unknown;
    readonly connection: SseConnection | undefined;
    readonly broadcaster: object | undefined;
  };
}

export const diagnostics = {
  open: channelOf<ConnectionDiagnostics['open']>('open'),
  close: channelOf<ConnectionDiagnostics['close']>('close'),
  refuse: channelOf<ConnectionDiagnostics['refuse']>('refuse'),
  deliver: channelOf<ConnectionDiagnostics['deliver']>('deliver'),
  drop: channelOf<ConnectionDiagnostics['drop']>('drop'),
  stall: channelOf<ConnectionDiagnostics['stall']>('stall'),
  error: channelOf<ConnectionDiagnostics['error']>('error'),
};
