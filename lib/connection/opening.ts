import { setTimeout } from 'node:timers/promises';
import { finalize, tap, type Observable } from 'rxjs';
import { Deferred } from '../ground/deferred.js';
import { SseNotStreamableError } from '../ground/errors.js';
import type { CloseReason } from './close-reason.js';

/** The stream that an opening is of. */
export interface OpenedStream {
  /** Begins the stream. Throws what keeps its head from being written. */
  open(): void;
  /** Ends the stream, which has not begun, without a byte. */
  endUnopened(): void;
  /** Ends the stream, which has begun. Never throws. */
  failed(error: unknown): void;
}

/**
 * | state       | how it comes about                                       | what Nest sees            |
 * | ----------- | -------------------------------------------------------- | ------------------------- |
 * | `waiting`   | the handler was called                                   | a handler that works      |
 * | `begun`     | a first message, `close()`, or nothing holds it any more | a handler that is done    |
 * | `refused`   | the source fails, or the head cannot be written          | a handler that has failed |
 * | `abandoned` | the client left, or somebody else answered               | a handler that is done    |
 */
export type OpeningState = 'waiting' | 'begun' | 'refused' | 'abandoned';

/**
 * From the handler's call to the first byte. Until the stream begins, it may be refused with a
 * status. Its head is written a turn after it has begun; then the stream lets go of its opening.
 */
export class Opening {
  /** As `performance.now()`, in whole milliseconds. */
  readonly arrivedAt = Math.floor(performance.now());
  /** The stream was closed before its head was written, and ends with it. */
  closing: CloseReason | undefined;
  state: OpeningState = 'waiting';
  /** Why the stream may not begin, where only an answer that is no stream is wanted. */
  forbidden: Error | undefined;
  private held: Promise<unknown> | undefined;
  private readonly outcome = new Deferred<void>();

  constructor(
    private readonly stream: OpenedStream,
    private readonly openWithinMs: number,
  ) {}

  /** Resolves when the stream has begun or ended; rejects with the error that refuses it. */
  get settled(): Promise<void> {
    return this.outcome.promise;
  }

  /** Until this resolves, only a message begins the stream, and it may still be refused. */
  hold(until: Promise<unknown>): void {
    if (this.state === 'waiting') this.held = Promise.all([this.held, until]);
  }

  /** Limits a hold: what may refuse a quiet stream must not hold it back for longer. */
  async patience(): Promise<void> {
    if (this.openWithinMs > 0) await setTimeout(this.openWithinMs, undefined, { ref: false });
  }

  /**
   * Begins the stream a turn later, or a turn after all holds. The source has that turn to fail or
   * to emit first.
   */
  beginInTurn(): void {
    setImmediate(() => {
      const { held } = this;
      this.held = undefined;
      if (held === undefined) this.begin();
      // There may be another hold by then.
      else void held.then(() => this.beginInTurn());
    });
  }

  private begin(): void {
    try {
      this.stream.open();
    } catch (error) {
      if (!this.refuse(error)) this.stream.failed(error);
    }
  }

  /**
   * Refuses the stream: an exception filter answers. Returns false when it is too late for that.
   */
  refuse(error: unknown): boolean {
    if (this.state !== 'waiting') return false;
    this.state = 'refused';
    this.outcome.reject(error);
    this.stream.endUnopened();
    return true;
  }

  /** Somebody else answers. Does nothing once the stream has begun. */
  abandon(): void {
    if (this.state === 'waiting') this.stream.endUnopened();
  }

  /** The stream tells that it has begun, or that it has ended without. */
  settle(state: 'begun' | 'abandoned'): void {
    if (this.state !== 'waiting') return;
    this.state = state;
    this.outcome.resolve();
  }

  /**
   * Nest's call of the handler is over when the stream has begun. If it is over before, somebody
   * else answers: an interceptor or an exception filter.
   */
  during(call: Observable<unknown>): Observable<unknown> {
    return call.pipe(
      tap({ complete: () => this.requireBegun() }),
      finalize(() => this.abandon()),
    );
  }

  /** Nest does not send what an interceptor answers for a handler of this library. */
  private requireBegun(): void {
    if (this.state !== 'waiting') return;
    throw new SseNotStreamableError(
      'an interceptor returned without calling the handler; throw an HttpException there, or call next.handle()',
    );
  }
}
