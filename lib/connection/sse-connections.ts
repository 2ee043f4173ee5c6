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
 * All connections of this process. Inject it into services.
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
  /** Makes objects with the same members not assignable: only the library creates it. */
  declare private readonly isOurs: true;

  /** Emits each connection when its stream begins. */
  abstract readonly opened$: Observable<SseConnection>;

  /** Emits each connection once when it ends, if its stream had begun. */
  abstract readonly closed$: Observable<ClosedConnection>;

  /** The number of open streams. */
  abstract readonly count: number;

  /** The open streams, oldest first. */
  abstract list(): SseConnection[];

  /** The oldest open stream for which `predicate` returns true. */
  abstract find(predicate: (connection: SseConnection) => boolean): SseConnection | undefined;

  /**
   * Ends all open streams of this process. New ones can still be opened.
   * @param reason 'server' by default
   */
  abstract closeAll(reason?: CloseReason): void;

  /**
   * Ends the connections of this process for which `predicate` returns true, with the reason
   * `auth`. Their clients get `event: sse-end` with `{"reason":"auth"}`, and may reconnect if your
   * guards admit them.
   * @returns the number of ended connections
   */
  abstract revoke(predicate: (connection: SseConnection) => boolean): number;

  /**
   * As `revoke()`, but in all processes that share the log of the default hub, and for every
   * connection that has all these facts in its `data`; `user` and `client` may be of its `identity`
   * instead. Resolves when the log has accepted it. A process
   * without a connection to the log gets it after reconnecting. An unawaited rejection does not end
   * the process; it is logged at most once per 10 s.
   * @throws SseOptionsError without any fact, because that would match everybody; what the log
   * rejects with
   * @example `await this.connections.revokeEverywhere({ user: user.id })`
   */
  abstract revokeEverywhere(
    facts: Readonly<Record<string, string | number | boolean>>,
  ): Promise<void>;
}
