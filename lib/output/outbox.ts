import type { ServerResponse } from 'node:http';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { SseMessage } from '../wire/frame.js';
import { Backlog, type BacklogSettings, type Pushed, type Waiting } from './backlog.js';
import { Batch, type Turn, type TurnWriter } from './batch.js';
import { ChunkWriter } from './chunk-writer.js';

/**
 * A backlog is written in parts of this size, so that progress shows and the rest can still be left
 * out.
 */
const BACKLOG_PART_BYTES = 65_536;

/**
 * What a turn collects is handed to the socket when it is this much, or as much as may wait, before
 * anything is added to it. What the socket does not take blocks the client, and the rest of the
 * turn goes to the backlog, which has a limit.
 */
const TURN_PART_BYTES = 4_194_304;

/**
 * An end writes the backlog in parts of this size: one text cannot be longer than half a gigabyte.
 */
const END_PART_BYTES = 16_777_216;

/** The connection, as its outbox sees it. */
export interface OutboxOwner {
  /** So much was handed to the socket. */
  wrote(events: number, bytes: number): void;
  /** The client takes nothing more at the moment. */
  blocked(): void;
  /** Asked for when frames have to wait: the mark by which their client is known again. */
  mark(): string;
  /**
   * Asked for each frame that has to wait: what the backlog has to know about it. The arguments are
   * those of `push()`.
   */
  waitingOf(frame: string, event?: SseMessage, id?: string | number): Waiting;
  /** A write has failed. Never throws. */
  failed(error: unknown): void;
}

/**
 * What is on its way to one client. Frames are collected in the batch of the turn and written once
 * per turn. While the client takes nothing, they wait in its backlog. `push()` decides which, and
 * what becomes of a frame that does not fit.
 */
export class Outbox implements TurnWriter {
  /**
   * `held` until the head is written, a turn after the stream has begun or later: what is pushed by
   * then is collected as in a turn, and follows the opening. Beyond that it is backlog.
   */
  private phase: 'held' | 'open' | 'closed' = 'held';
  private writer: ChunkWriter | undefined;
  private batch: Batch | undefined;
  private backlog: Backlog | undefined;
  private inTurn = false;
  private writableWaiters: Deferred<void> | undefined;

  /** What a turn collects before part of it is written. */
  private readonly partBytes: number;

  /** When the last write or drain was. */
  activeAt = 0;
  /** Since when the client takes nothing: from a write that it did not take to its drain. */
  blockedAt: number | undefined;
  /** How many events the backlog has left out. */
  dropped = 0;

  constructor(
    private readonly raw: ServerResponse,
    private readonly turn: Turn,
    private readonly settings: BacklogSettings,
    private readonly owner: OutboxOwner,
  ) {
    this.partBytes = Math.min(TURN_PART_BYTES, settings.maxBufferedBytes);
  }

  /** The bytes that wait for the client. */
  get bufferedBytes(): number {
    return (this.batch?.bytes ?? 0) + (this.backlog?.bytes ?? 0) + this.raw.writableLength;
  }

  /** Whether frames have to wait for the client. */
  get isBlocked(): boolean {
    return this.blockedAt !== undefined || this.backlog !== undefined;
  }

  /** The headers are sent: writes `opening` at once, and from now on what is pushed. */
  open(opening: string): void {
    this.phase = 'open';
    this.writer = new ChunkWriter(this.raw);
    if (opening !== '') this.write(Batch.of(opening));
    if (this.batch !== undefined) this.joinTurn();
  }

  /**
   * Takes a frame: into the batch of this turn, or into the backlog while the client takes nothing.
   * Answers what became of those that wait; the caller acts on it.
   * @param event what is in the frame, if that may be left out
   * @param id the id of the frame
   */
  push(frame: string, event?: SseMessage, id?: string | number): Pushed {
    this.writeFullBatch();
    // A write has failed, which ends the connection.
    if (this.phase === 'closed') return 0;
    if (!this.isBlocked && !this.isFullBeforeHead) {
      this.collect(frame, event !== undefined);
      return 0;
    }
    const pushed = this.openBacklog().push(this.owner.waitingOf(frame, event, id));
    if (pushed !== 'overflow') this.dropped += pushed;
    return pushed;
  }

  /** Takes a frame that the connection ends with: never too much. */
  pushLast(frame: string): void {
    if (this.isBlocked) this.openBacklog().pushLast({ frame });
    else this.collect(frame, false);
  }

  /** The turn is over. */
  flush(): void {
    this.inTurn = false;
    if (!this.isWritable) return;
    // A batch is older than the backlog beside it.
    if (this.batch !== undefined) this.writeBatch(this.batch);
    else if (this.backlog !== undefined) this.writeBacklog(this.backlog);
    if (!this.isBlocked) this.resolveWaiters();
    else if (this.backlog !== undefined) this.joinTurn();
  }

  failed(error: unknown): void {
    this.owner.failed(error);
  }

  /**
   * Resolves when all that was pushed is written and the client takes more; rejects when the
   * connection has ended.
   */
  writable(): Promise<void> {
    if (this.phase === 'closed') return Deferred.rejected(new SseClosedError('the connection'));
    if (this.batch === undefined && !this.isBlocked) return Promise.resolve();
    this.writableWaiters ??= new Deferred();
    return this.writableWaiters.promise;
  }

  /**
   * Ends the response after what was pushed. Until the client has taken it, it counts as blocked.
   */
  end(): void {
    const { backlog, raw } = this;
    let last = this.batch;
    let { events, bytes } = last ?? { events: 0, bytes: 0 };
    this.discard();
    this.blockedAt ??= now();
    for (const part of backlog?.takeAll(END_PART_BYTES) ?? []) {
      if (last !== undefined) raw.write(last.buffer);
      last = part;
      events += part.events;
      bytes += part.bytes;
    }
    raw.end(last?.buffer);
    if (last !== undefined && !this.isBroken) this.owner.wrote(events, bytes);
  }

  /** Forgets what was not written. */
  discard(): void {
    this.phase = 'closed';
    this.batch = undefined;
    this.backlog = undefined;
    this.writableWaiters?.reject(new SseClosedError('the connection'));
  }

  /** What was written to it has gone nowhere. */
  private get isBroken(): boolean {
    const { socket } = this.raw;
    return socket !== null && (socket.destroyed || Boolean(socket.errored));
  }

  /** Nothing can be written yet, and the batch has no room for more. */
  private get isFullBeforeHead(): boolean {
    return this.phase === 'held' && (this.batch?.bytes ?? 0) >= this.partBytes;
  }

  private get isWritable(): boolean {
    return this.phase === 'open' && this.blockedAt === undefined;
  }

  private collect(frame: string, isEvent: boolean): void {
    this.batch = (this.batch ?? this.turn.root).append(frame, isEvent);
    this.joinTurn();
  }

  private openBacklog(): Backlog {
    return (this.backlog ??= new Backlog(this.settings, this.owner.mark()));
  }

  private joinTurn(): void {
    if (this.inTurn || !this.isWritable) return;
    this.inTurn = true;
    this.turn.add(this);
  }

  /** A turn may collect more than may wait: then part of it is written before the turn is over. */
  private writeFullBatch(): void {
    const { batch } = this;
    if (batch === undefined || batch.bytes < this.partBytes || !this.isWritable) return;
    this.writeBatch(batch);
  }

  private writeBatch(batch: Batch): void {
    this.batch = undefined;
    this.write(batch);
  }

  private writeBacklog(backlog: Backlog): void {
    this.write(backlog.take(BACKLOG_PART_BYTES));
    if (backlog.isEmpty) this.backlog = undefined;
  }

  private write(batch: Batch): void {
    this.activeAt = now();
    try {
      if (!this.writer?.write(batch, this.onDrain)) {
        this.blockedAt = this.activeAt;
        this.owner.blocked();
        if (this.isBroken) return;
      }
      this.owner.wrote(batch.events, batch.bytes);
    } catch (error) {
      this.owner.failed(error);
    }
  }

  private readonly onDrain = (): void => {
    if (this.phase !== 'open') return;
    this.blockedAt = undefined;
    this.activeAt = now();
    // Through the turn also when nothing waits, to resolve `writable()`.
    this.joinTurn();
  };

  private resolveWaiters(): void {
    const waiters = this.writableWaiters;
    this.writableWaiters = undefined;
    waiters?.resolve();
  }
}

/** In whole milliseconds: a fraction would cost each connection an object on the heap. */
function now(): number {
  return Math.floor(performance.now());
}
