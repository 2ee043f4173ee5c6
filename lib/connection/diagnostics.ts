import { channelOf } from '../ground/channels.js';
import type { HttpRequest } from '../output/request.js';
import type { CloseReason } from './close-reason.js';
import type { SseConnection } from './sse-connection.js';
import type { SseConnections } from './sse-connections.js';

/**
 * Why a connection was refused: the limit that it exceeded, `shutdown` while the app shuts down, or
 * `log` while the log that its stream needs is unavailable.
 * @publicApi
 */
export type RefusalReason = 'process' | 'key' | 'rate' | 'room' | 'shutdown' | 'log';

/**
 * The diagnostics channels of connections.
 * @publicApi
 */
export interface ConnectionDiagnostics {
  /** A stream began, `openingMs` after its request reached the handler. Guards do not count. */
  open: { readonly connection: SseConnection; readonly openingMs: number };
  /** A stream ended. */
  close: {
    readonly connection: SseConnection;
    readonly reason: CloseReason;
    readonly durationMs: number;
  };
  /** A connection was refused. `connections` are those of this process. */
  refuse: {
    readonly reason: RefusalReason;
    readonly request: HttpRequest;
    readonly connections: SseConnections;
  };
  /**
   * Data was handed to the socket of one connection. Keep-alives and the opening count as bytes,
   * not as events.
   */
  deliver: { readonly connection: SseConnection; readonly events: number; readonly bytes: number };
  /** Events were dropped for a slow client. */
  drop: { readonly connection: SseConnection; readonly events: number };
  /** A client read nothing for `stallTimeoutMs`, so its socket is destroyed. */
  stall: { readonly connection: SseConnection; readonly bufferedBytes: number };
  /**
   * A stream failed after its first byte (`connection`), or an event was not published
   * (`broadcaster`).
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
