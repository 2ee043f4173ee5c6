import type { ServerResponse } from 'node:http';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import type { SseMessage } from '../wire/frame.js';
import { Backlog, type BacklogSettings, type Pushed, type Waiting } from './backlog.js';
import { Batch, type Piece, type Turn, type TurnWriter } from './batch.js';
import { ChunkWriter } from './chunk-writer.js';
import type { Encoder } from './encoder.js';

/**
 * A backlog is written in parts of this size, so that progress shows and the rest can still be
 * dropped.
 */
const BACKLOG_PART_BYTES = 65_536;

/**
 * A batch of this size, or of `maxBufferedBytes`, is written before anything is added to it. If the
 * socket does not take all of it, the client is blocked, and the rest of the turn goes to the
 * backlog, which has a limit.
 */
const TURN_PART_BYTES = 4_194_304;

/** At the end, the backlog is written in parts: a string cannot exceed about half a gigabyte. */
const END_PART_BYTES = 16_777_216;

/** The connection, as its outbox sees it. */
export interface OutboxOwner {
  /** This much was handed to the socket. */
  wrote(events: number, bytes: number): void;
  /** The client has stopped reading. */
  blocked(): void;
  /**
   * A mark by which a returning client is recognized, such as one that was cut for slowness. Called
   * when frames first have to wait.
   */
  mark(): string;
  /**
   * Describes a frame for the backlog. Called for each frame that has to wait, with the arguments
   * of `push()`.
   */
  waitingOf(frame: string, event?: SseMessage, id?: string | number): Waiting;
  /** A write failed. Must not throw. */
  failed(error: unknown): void;
}

/**
 * Frames on their way to one client: collected in the batch of the turn, or in the backlog while
 * the client is not reading. `push()` alone decides which, and what becomes of a frame that does
 * not fit. Frames of the batch are older than those of the backlog.
 */
export class Outbox implements TurnWriter {
  /**
   * `held` until the head is written, at least one turn after the stream began. Until then frames
   * are collected in the batch, which follows the opening; what exceeds it is backlog.
   */
  private phase: 'held' | 'open' | 'closed' = 'held';
  private writer: ChunkWriter | undefined;
  private encoder: Encoder | undefined;
  private batch: Batch | undefined;
  private backlog: Backlog | undefined;
  private inTurn = false;
  private writableWaiters: Deferred<void> | undefined;

  /** The size at which a turn's batch is written early. */
  private readonly partBytes: number;

  /** When the last write or drain happened. */
  activeAt = 0;
  /** Since when the client takes nothing: the time of the first write that it did not take. */
  blockedAt: number | undefined;
  /** How many events the backlog has dropped. */
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

  /** Whether new frames have to wait. */
  get isBlocked(): boolean {
    return this.blockedAt !== undefined || this.backlog !== undefined;
  }

  /** The headers are sent: writes `opening` at once, and from now on whatever is pushed. */
  open(opening: string, encoder?: Encoder): void {
    this.phase = 'open';
    this.encoder = encoder;
    this.writer = new ChunkWriter(this.raw, encoder !== undefined);
    if (opening !== '') this.write(Batch.of(opening));
    if (this.batch !== undefined) this.joinTurn();
  }

  /**
   * Puts a frame into the batch of this turn, or into the backlog while the client is not reading.
   * Returns what the backlog did; the caller acts on it.
   * @param event the message in the frame, if it may be dropped
   * @param id the id of the frame
   */
  push(frame: string, event?: SseMessage, id?: string | number): Pushed {
    this.writeFullBatch();
    // A failed write has ended the connection.
    if (this.phase === 'closed') return 0;
    if (!this.isBlocked && !this.isFullBeforeHead) {
      this.collect(frame, event !== undefined);
      return 0;
    }
    const pushed = this.openBacklog().push(this.owner.waitingOf(frame, event, id));
    if (pushed !== 'overflow') this.dropped += pushed;
    return pushed;
  }

  /** Adds a frame that the connection ends with. No limit applies. */
  pushLast(frame: string): void {
    if (this.isBlocked) this.openBacklog().pushLast({ frame });
    else this.collect(frame, false);
  }

  /** The turn calls it at its end. */
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
   * Resolves when everything pushed is written and the client takes more. Rejects when the
   * connection has ended.
   */
  writable(): Promise<void> {
    if (this.phase === 'closed') return Deferred.rejected(new SseClosedError('the connection'));
    if (this.batch === undefined && !this.isBlocked) return Promise.resolve();
    this.writableWaiters ??= new Deferred();
    return this.writableWaiters.promise;
  }

  /** Writes everything pushed and ends the response. Blocked until the client has read it. */
  end(): void {
    const { backlog, raw, encoder } = this;
    let last = this.batch;
    let [events, bytes] = [last?.events ?? 0, 0];
    this.discard();
    this.blockedAt ??= now();
    for (const part of backlog?.takeAll(END_PART_BYTES) ?? []) {
      const piece: Piece | undefined = last && (encoder?.next(last) ?? last);
      if (piece !== undefined) raw.write(piece.buffer);
      bytes += piece?.bytes ?? 0;
      events += part.events;
      last = part;
    }
    const end = encoder?.end(last) ?? last;
    raw.end(end?.buffer);
    if (end !== undefined && !this.isBroken) this.owner.wrote(events, bytes + end.bytes);
  }

  /** Drops everything that is not written. */
  discard(): void {
    this.phase = 'closed';
    this.batch = undefined;
    this.backlog = undefined;
    this.writableWaiters?.reject(new SseClosedError('the connection'));
  }

  /** Whether the socket is broken, so that its writes went nowhere. */
  private get isBroken(): boolean {
    const { socket } = this.raw;
    return socket !== null && (socket.destroyed || Boolean(socket.errored));
  }

  /** Nothing can be written yet, and the batch is full. */
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

  /** Bounds what a turn collects: a full batch is written before the turn is over. */
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
      const piece = this.encoder?.next(batch) ?? batch;
      if (!this.writer?.write(piece, this.onDrain)) {
        this.blockedAt = this.activeAt;
        this.owner.blocked();
        if (this.isBroken) return;
      }
      this.owner.wrote(batch.events, piece.bytes);
    } catch (error) {
      this.owner.failed(error);
    }
  }

  private readonly onDrain = (): void => {
    if (this.phase !== 'open') return;
    this.blockedAt = undefined;
    this.activeAt = now();
    // Joins the turn even if nothing waits, to resolve `writable()`.
    this.joinTurn();
  };

  private resolveWaiters(): void {
    this.writableWaiters?.resolve();
    this.writableWaiters = undefined;
  }
}

/** Whole milliseconds: a fraction would cost each connection a heap number. */
function now(): number {
  return Math.floor(performance.now());
}
