import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Deferred } from '../ground/deferred.js';
import type { CloseReason } from './close-reason.js';
import { SseConnection } from './sse-connection.js';

/** The part of a `Stream` that only its app asks for. Each fact is made when it is asked for: few streams need them. */
export abstract class StreamFacts extends SseConnection {
  /** The app's stores, for what it runs when the client leaves or a timer ends the stream. */
  protected readonly context = new AsyncResource('SseConnection', { requireManualDestroy: true });
  /** Why it has ended. */
  protected reason: CloseReason | undefined;
  private uuid: string | undefined;
  private facts: Record<string, unknown> | undefined;
  private abort: AbortController | undefined;
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

  /** `signal` aborts, `closed` resolves. */
  protected announceEnd(reason: CloseReason): void {
    this.context.runInAsyncScope(() => this.abort?.abort(reason));
    this.ended?.resolve(reason);
  }
}
