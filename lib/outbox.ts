import type { ServerResponse } from 'node:http';
import type { Batch, Turn, TurnWriter } from './batch.js';
import { Deferred } from './deferred.js';
import { SseClosedError } from './errors.js';

/**
 * What is on its way to one client: frames are collected in the batch of the turn and written once per turn;
 * while the client takes nothing, the batch grows by references to shared frames.
 */
export class Outbox implements TurnWriter {
  private phase: 'held' | 'open' | 'closed' = 'held';
  private batch: Batch | undefined;
  private inTurn = false;
  private roomWaiters: Deferred<void> | undefined;

  /** When the last write or drain was. */
  activeAt = 0;
  /** Since when the client takes nothing: from a `write()` that answered false to its drain. */
  blockedAt: number | undefined;

  constructor(
    private readonly raw: ServerResponse,
    private readonly turn: Turn,
  ) {}

  /** What waits for the client, in bytes. */
  get bufferedBytes(): number {
    return (this.batch?.bytes ?? 0) + this.raw.writableLength;
  }

  /** The headers are sent: writes `opening` at once, and from now on what is pushed. */
  open(opening: string): void {
    this.phase = 'open';
    if (opening !== '') this.write(Buffer.from(opening));
    if (this.batch !== undefined || this.roomWaiters !== undefined) this.joinTurn();
  }

  push(frame: string): void {
    this.batch = (this.batch ?? this.turn.root).append(frame);
    this.joinTurn();
  }

  /** The turn is over. */
  flush(): void {
    this.inTurn = false;
    if (this.phase !== 'open' || this.blockedAt !== undefined) return;
    if (this.batch !== undefined) {
      const { buffer } = this.batch;
      this.batch = undefined;
      this.write(buffer);
    }
    if (this.blockedAt === undefined) this.tellRoom();
  }

  /** Resolves when all that was pushed is written and the client takes more; rejects when it has ended. */
  room(): Promise<void> {
    if (this.phase === 'closed') return Deferred.rejected(new SseClosedError('the connection'));
    if (this.phase === 'open' && this.batch === undefined && this.blockedAt === undefined) {
      return Promise.resolve();
    }
    this.roomWaiters ??= new Deferred();
    return this.roomWaiters.promise;
  }

  /** Ends the response after what was pushed. Until the client has taken it, it counts as blocked. */
  end(): void {
    const { batch } = this;
    this.discard();
    this.blockedAt ??= performance.now();
    this.raw.end(batch?.buffer);
  }

  /** Forgets what was not written. */
  discard(): void {
    this.phase = 'closed';
    this.batch = undefined;
    this.roomWaiters?.reject(new SseClosedError('the connection'));
  }

  private joinTurn(): void {
    if (this.inTurn || this.phase !== 'open' || this.blockedAt !== undefined) return;
    this.inTurn = true;
    this.turn.add(this);
  }

  private write(buffer: Buffer): void {
    this.activeAt = performance.now();
    if (this.raw.write(buffer)) return;
    this.blockedAt = this.activeAt;
    this.raw.once('drain', this.onDrain);
  }

  private readonly onDrain = (): void => {
    if (this.phase !== 'open') return;
    this.blockedAt = undefined;
    this.activeAt = performance.now();
    // Through the turn also when nothing waits, to tell who waits for room.
    this.joinTurn();
  };

  private tellRoom(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = undefined;
    waiters?.resolve();
  }
}
