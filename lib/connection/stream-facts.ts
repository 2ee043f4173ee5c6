import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Deferred } from '../ground/deferred.js';
import { SseError } from '../ground/errors.js';
import { Authorization, type AuthorizedStream } from './authorization.js';
import type { Position } from '../wire/cursor.js';
import type { CloseReason } from './close-reason.js';
import { identityOf, NOBODY, type Identify } from './identify.js';
import type { Identity } from './identity.js';
import { SseConnection } from './sse-connection.js';
import { ASK_AGAIN_MS } from './upkeep.js';

/** Calls `check()` of a stream when it is due. */
export interface PulseHost {
  /** Schedules a check for this time or earlier; as `performance.now()`. */
  schedulePulse(time: number): void;
  /** The module option. */
  readonly identify?: Identify | undefined;
}

/** The rooms of a stream that can change. */
export interface ChangeableRooms {
  readonly rooms: string[];
  /** Resolves with the rooms in force. */
  change(join: readonly string[], leave: readonly string[]): Promise<string[]>;
  /** Whether the event is of rooms that have left while an operator held it. */
  hasLeft(event: { readonly rooms: readonly string[]; readonly position?: Position }): boolean;
}

/**
 * The part of a `Stream` that only its app uses. Each value is created at its first use, because
 * most streams need none.
 */
export abstract class StreamFacts extends SseConnection {
  /**
   * The app's async context, for code that runs on behalf of this stream from elsewhere.
   * `undefined` until its handler was called.
   */
  private context: AsyncResource | undefined;
  abstract readonly host: PulseHost;
  abstract readonly opening: AuthorizedStream['opening'];
  abstract revoke(): void;
  /** Why the stream ended. */
  protected reason: CloseReason | undefined;
  private uuid: string | undefined;
  private facts: Record<string, unknown> | undefined;
  private who: Identity | undefined;
  private abort: AbortController | undefined;
  protected allowed: Authorization | undefined;
  private ended: Deferred<CloseReason> | undefined;
  /** Its stream whose rooms can change, if it has one. */
  changeable: ChangeableRooms | undefined;

  get id(): string {
    return (this.uuid ??= randomUUID());
  }

  get data(): Record<string, unknown> {
    return (this.facts ??= {});
  }

  get identity(): Identity | undefined {
    const { identify } = this.host;
    if (identify === undefined) return undefined;
    this.who ??= this.inContext(() => identityOf(identify, this));
    return this.who === NOBODY ? undefined : this.who;
  }

  get rooms(): readonly string[] {
    return this.changeable?.rooms ?? [];
  }

  join(...rooms: string[]): Promise<readonly string[]> {
    return this.changeRooms(rooms, []);
  }

  leave(...rooms: string[]): Promise<readonly string[]> {
    return this.changeRooms([], rooms);
  }

  private async changeRooms(join: string[], leave: string[]): Promise<readonly string[]> {
    if (this.changeable !== undefined) return this.changeable.change(join, leave);
    const remedy = 'return `broadcaster.stream(rooms, { changeable: true })` from the handler';
    throw new SseError('SSE_OPTIONS', `the rooms of this stream cannot change: ${remedy}`);
  }

  get signal(): AbortSignal {
    this.abort ??= new AbortController();
    if (this.reason !== undefined) this.abort.abort(this.reason);
    return this.abort.signal;
  }

  get closed(): Promise<CloseReason> {
    this.ended ??= new Deferred();
    if (this.reason !== undefined) this.ended.resolve(this.reason);
    return this.ended.promise;
  }

  /** What the client may read. */
  get authorization(): Authorization {
    if (this.allowed === undefined) {
      this.allowed = new Authorization(this);
      // An open stream without keep-alives has no other check.
      this.host.schedulePulse(performance.now() + ASK_AGAIN_MS);
    }
    return this.allowed;
  }

  /** Keeps the caller's async context, which is the handler's, as that of the stream. */
  keepContext(): void {
    this.context = new AsyncResource('SseConnection', { requireManualDestroy: true });
  }

  /** Runs a step in the stream's context: the current one may be that of a publisher or a timer. */
  inContext<T>(step: () => T): T {
    return this.context === undefined ? step() : this.context.runInAsyncScope(step);
  }

  /** Aborts `signal` and resolves `closed`. */
  protected announceEnd(reason: CloseReason): void {
    this.abort?.abort(reason);
    this.ended?.resolve(reason);
  }
}
