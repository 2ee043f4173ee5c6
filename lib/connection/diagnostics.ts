import { channelOf } from '../ground/channels.js';
import type { HttpRequest } from '../output/request.js';
import type { CloseReason } from './close-reason.js';
import type { SseConnection } from './sse-connection.js';
import type { SseConnections } from './sse-connections.js';

/**
 * Why a connection was not opened: the limit that it met, `shutdown` while the app ends its
 * streams, `log` while the log that its stream needs is away.
 * @publicApi
 */
export type RefusalReason = 'process' | 'key' | 'rate' | 'room' | 'shutdown' | 'log';

/**
 * What the diagnostics channels say of connections.
 * @publicApi
 */
export interface ConnectionDiagnostics {
  /** A stream has begun; `openingMs` after its request came to the handler, guards not included. */
  open: { readonly connection: SseConnection; readonly openingMs: number };
  /** A stream has ended, after so long. */
  close: {
    readonly connection: SseConnection;
    readonly reason: CloseReason;
    readonly durationMs: number;
  };
  /** A connection was not opened; `connections` are those that it would have joined. */
  refuse: {
    readonly reason: RefusalReason;
    readonly request: HttpRequest;
    readonly connections: SseConnections;
  };
  /**
   * Something was handed to the socket of one connection; keep-alives and the opening are bytes and
   * no events.
   */
  deliver: { readonly connection: SseConnection; readonly events: number; readonly bytes: number };
  /** Events were left out for a client that takes too little. */
  drop: { readonly connection: SseConnection; readonly events: number };
  /** A client took nothing for too long: its socket is destroyed. */
  stall: { readonly connection: SseConnection; readonly bufferedBytes: number };
  /**
   * A stream has failed after its first byte (`connection`), or an event was not published
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
