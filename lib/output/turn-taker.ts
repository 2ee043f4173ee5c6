import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { Turn } from './batch.js';
import type { FlushWindow, Windowed } from './flush-window.js';

/** While this much waits for a window, who writes does not have to wait for it. */
const DELAYED_BYTES = 16_384;

/** The half of an outbox that knows when to write: at the end of a turn, or of a window. */
export abstract class TurnTaker implements Windowed {
  private inTurn = false;
  /** Since the last write of events, if `flushMs` is set. */
  private window: FlushWindow | undefined;
  /** Whether something waits for the end of the window. */
  private isDelayed = false;
  private waiters: Deferred<void> | undefined;

  constructor(
    protected readonly turn: Turn,
    private readonly flushMs: number,
  ) {}

  protected abstract readonly isWritable: boolean;
  abstract readonly bufferedBytes: number;
  abstract flush(): void;
  abstract failed(error: unknown): void;
  /** Resolves when everything pushed is written and the client takes more, without any window. */
  abstract written(): Promise<void>;

  /**
   * Resolves when the client takes more: when everything pushed is written, or while little waits
   * for its window. Rejects when the connection has ended.
   */
  writable(): Promise<void> {
    const isLittle = this.isDelayed && this.isWritable && this.bufferedBytes < DELAYED_BYTES;
    return isLittle ? new Promise((resolve) => setImmediate(resolve)) : this.written();
  }

  protected nextWrite(): Promise<void> {
    this.joinTurn();
    this.waiters ??= new Deferred();
    return this.waiters.promise;
  }

  protected resolveWaiters(): void {
    const { waiters } = this;
    this.waiters = undefined;
    waiters?.resolve();
  }

  protected rejectWaiters(): void {
    this.waiters?.reject(new SseClosedError('the connection'));
  }

  /** @param mayWait whether the window, if there is one, comes first */
  protected joinTurn(mayWait = false): void {
    if (this.inTurn || !this.isWritable) return;
    if (mayWait && this.joinWindow()) return;
    this.inTurn = true;
    this.turn.add(this);
  }

  private joinWindow(): boolean {
    this.isDelayed ||= this.window?.add(this) ?? false;
    return this.isDelayed;
  }

  protected leaveTurn(): void {
    this.inTurn = false;
  }

  /** Events were written. */
  protected beginWindow(): void {
    this.isDelayed = false;
    if (this.flushMs > 0) this.window = this.turn.windowOf(this.flushMs);
  }

  endWindow(window: FlushWindow): void {
    if (this.window !== window) return;
    this.window = undefined;
    this.isDelayed = false;
    this.joinTurn();
  }
}
