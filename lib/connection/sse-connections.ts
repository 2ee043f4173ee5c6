import type { Observable } from 'rxjs';
import type { CloseReason } from './close-reason.js';
import type { SseConnection } from './sse-connection.js';

/**
 * A connection that has ended, and why.
 * @publicApi
 */
export interface ClosedConnection {
  readonly connection: SseConnection;
  readonly reason: CloseReason;
}

/**
 * All connections of this process. Services inject it.
 * @example
 * ```ts
 * constructor(private readonly connections: SseConnections) {}
 *
 * signOut(user: string): void {
 *   this.connections.find((connection) => connection.data['user'] === user)?.close('sign-out');
 * }
 * ```
 * @publicApi
 */
export abstract class SseConnections {
  /** An object with the same members is not assignable: only the library makes one. */
  declare private readonly isOurs: true;

  /** Emits each connection when its stream begins. */
  abstract readonly opened$: Observable<SseConnection>;

  /** Emits each connection whose stream had begun, once, when it ends. */
  abstract readonly closed$: Observable<ClosedConnection>;

  /** How many streams are open. */
  abstract readonly count: number;

  /** The open streams, oldest first. */
  abstract list(): SseConnection[];

  /** The oldest open stream for which `predicate` answers true. */
  abstract find(predicate: (connection: SseConnection) => boolean): SseConnection | undefined;

  /** Ends all open streams; new ones may follow. */
  abstract closeAll(reason?: CloseReason): void;

  /**
   * Ends the connections of this process for which `predicate` answers true, with the reason
   * `auth`, after `event: sse-end` with `{"reason":"auth"}`. Guards decide whether a client may
   * come back.
   * @returns how many connections that were
   */
  abstract revoke(predicate: (connection: SseConnection) => boolean): number;

  /**
   * As `revoke()`, on all processes that share the log of the default hub, for every connection
   * whose `data` has all these facts. Resolves when the log has accepted it. A process that is cut
   * off hears of it when it is back. A rejection that nobody awaits does not end the process; it is
   * logged, at most once per 10 s.
   * @throws SseError `SSE_OPTIONS` for no facts at all, which would be everybody; what the log
   * rejects with
   * @example `await this.connections.revokeEverywhere({ user: user.id })`
   */
  abstract revokeEverywhere(
    facts: Readonly<Record<string, string | number | boolean>>,
  ): Promise<void>;
}
