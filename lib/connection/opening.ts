import { setTimeout } from 'node:timers/promises';
import { Observable } from 'rxjs';
import { Deferred } from '../ground/deferred.js';
import { SseNotStreamableError } from '../ground/errors.js';
import type { CloseReason } from './close-reason.js';

/** The stream that an opening belongs to. */
export interface OpenedStream {
  /** Begins the stream. Throws what prevents its head from being written. */
  open(): void;
  /** Ends a stream that has not begun, without writing a byte. */
  endUnopened(): void;
  /** Ends a stream that has begun. Never throws. */
  failed(error: unknown): void;
}

/**
 * | state       | cause                                                  | Nest's call of the handler |
 * | ----------- | ------------------------------------------------------ | -------------------------- |
 * | `waiting`   | the handler was called                                 | is pending                 |
 * | `begun`     | a first message, `close()`, or the end of all holds    | completes                  |
 * | `refused`   | the source failed, or the head could not be written    | fails                      |
 * | `abandoned` | the client left, or something else answered            | completes                  |
 */
export type OpeningState = 'waiting' | 'begun' | 'refused' | 'abandoned';

/**
 * The time from the handler's call to the first byte. Until the stream has begun, it can be refused
 * with a status. Its head is written a turn later, and the stream then drops its opening.
 */
export class Opening {
  /** As `performance.now()`, in whole milliseconds. */
  readonly arrivedAt = Math.floor(performance.now());
  /** The stream was closed before its head was written. It ends right after the head. */
  closing: CloseReason | undefined;
  state: OpeningState = 'waiting';
  /** Why no stream may begin, if the client accepts only other answers. */
  forbidden: Error | undefined;
  private held: Promise<unknown> | undefined;
  private readonly outcome = new Deferred<void>();

  constructor(
    private readonly stream: OpenedStream,
    private readonly openWithinMs: number,
  ) {}

  /** Resolves when the stream has begun or ended. Rejects with the error that refuses it. */
  get settled(): Promise<void> {
    return this.outcome.promise;
  }

  /** Until `until` resolves, only a message begins the stream, and it can still be refused. */
  hold(until: Promise<unknown>): void {
    if (this.state !== 'waiting') return;
    this.held = this.held === undefined ? until : Promise.all([this.held, until]);
  }

  /** Limits a hold: a check that may refuse a quiet stream delays it no longer than this. */
  async patience(): Promise<void> {
    if (this.openWithinMs > 0) await setTimeout(this.openWithinMs, undefined, { ref: false });
  }

  /**
   * Begins the stream in the next turn, or one turn after all holds. The source has that turn to
   * fail or to emit first.
   */
  beginInTurn(): void {
    setImmediate(() => {
      if (this.state !== 'waiting') return;
      const { held } = this;
      this.held = undefined;
      if (held === undefined) this.begin();
      // Another hold may have been added by then.
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

  /** Refuses the stream, so that an exception filter answers. Returns false if it is too late. */
  refuse(error: unknown): boolean {
    if (this.state !== 'waiting') return false;
    this.state = 'refused';
    this.outcome.reject(error);
    this.stream.endUnopened();
    return true;
  }

  /** Something else answers. Does nothing once the stream has begun. */
  abandon(): void {
    if (this.state === 'waiting') this.stream.endUnopened();
  }

  /** The stream has begun, or has ended without beginning. */
  settle(state: 'begun' | 'abandoned'): void {
    if (this.state !== 'waiting') return;
    this.state = state;
    this.outcome.resolve();
  }

  /**
   * Follows Nest's call of the handler, which completes when the stream has begun. If it completes
   * earlier, something else answers: an interceptor or an exception filter.
   */
  during(call: Observable<unknown>): Observable<unknown> {
    // One operator: two from RxJS would cost each client several objects more.
    return new Observable((subscriber) => {
      subscriber.add(() => this.abandon());
      return call.subscribe({
        next: (value) => subscriber.next(value),
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          const error = this.whyUnanswered();
          if (error === undefined) subscriber.complete();
          else subscriber.error(error);
        },
      });
    });
  }

  /** Nest does not send an interceptor's answer for a handler of this library. */
  private whyUnanswered(): SseNotStreamableError | undefined {
    if (this.state !== 'waiting') return undefined;
    return new SseNotStreamableError(
      'an interceptor returned without calling the handler; throw an HttpException there, or call next.handle()',
    );
  }
}
