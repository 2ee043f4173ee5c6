import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Deferred } from '../ground/deferred.js';
import { Authorization, type AuthorizedStream } from './authorization.js';
import type { CloseReason } from './close-reason.js';
import { SseConnection } from './sse-connection.js';
import { ASK_AGAIN_MS } from './upkeep.js';

/** Calls `check()` of a stream in time. */
export interface PulseHost {
  /** At this time or earlier; as `performance.now()`. */
  schedulePulse(time: number): void;
}

/**
 * The part of a `Stream` that only its app asks for. Each fact is made when it is asked for: few
 * streams need them.
 */
export abstract class StreamFacts extends SseConnection {
  /**
   * The app's stores, for what it runs for this stream on behalf of others; `undefined` before its
   * handler was called.
   */
  private context: AsyncResource | undefined;
  abstract readonly host: PulseHost;
  abstract readonly opening: AuthorizedStream['opening'];
  abstract revoke(): void;
  /** Why it has ended. */
  protected reason: CloseReason | undefined;
  private uuid: string | undefined;
  private facts: Record<string, unknown> | undefined;
  private abort: AbortController | undefined;
  protected allowed: Authorization | undefined;
  private ended: Deferred<CloseReason> | undefined;

  get id(): string {
    return (this.uuid ??= randomUUID());
  }

  get data(): Record<string, unknown> {
    return (this.facts ??= {});
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

  /** What the client is allowed to read. */
  get authorization(): Authorization {
    if (this.allowed === undefined) {
      this.allowed = new Authorization(this);
      // Without keep-alives, nothing else checks a stream that is open already.
      this.host.schedulePulse(performance.now() + ASK_AGAIN_MS);
    }
    return this.allowed;
  }

  /** From now on the app's stores are those of the caller, which is the handler. */
  keepContext(): void {
    this.context = new AsyncResource('SseConnection', { requireManualDestroy: true });
  }

  /** With the app's stores: a publisher, a timer or another client may be what runs now. */
  inContext<T>(step: () => T): T {
    return this.context === undefined ? step() : this.context.runInAsyncScope(step);
  }

  /** `signal` aborts, `closed` resolves. */
  protected announceEnd(reason: CloseReason): void {
    this.abort?.abort(reason);
    this.ended?.resolve(reason);
  }
}
