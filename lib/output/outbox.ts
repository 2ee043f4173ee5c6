import type { ServerResponse } from 'node:http';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import { wholeNow } from '../ground/timers.js';
import type { SseMessage } from '../wire/frame.js';
import { Backlog, type Pushed } from './backlog.js';
import { Batch, type FrameSource, type Piece, type Turn } from './batch.js';
import { ChunkWriter, isBroken } from './chunk-writer.js';
import type { Encoder } from './encoder.js';
import type { OutboxOwner, OutboxSettings } from './outbox-owner.js';
import { TurnTaker } from './turn-taker.js';

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

/**
 * Frames on their way to one client: collected in the batch of the turn, or in the backlog while
 * the client is not reading. `push()` alone decides which, and what becomes of a frame that does
 * not fit. Frames of the batch are older than those of the backlog.
 */
export class Outbox extends TurnTaker {
  /**
   * `held` until the head is written, at least one turn after the stream began. Until then frames
   * are collected in the batch, which follows the opening; what exceeds it is backlog.
   */
  private phase: 'held' | 'open' | 'closed' = 'held';
  private writer: ChunkWriter | undefined;
  private encoder: Encoder | undefined;
  private batch: Batch | undefined;
  /** Has frames that follow the batch. */
  private source: FrameSource | undefined;
  private backlog: Backlog | undefined;

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
    turn: Turn,
    private readonly settings: OutboxSettings,
    private readonly owner: OutboxOwner,
  ) {
    super(turn, settings.flushMs ?? 0);
    this.partBytes = Math.min(TURN_PART_BYTES, settings.maxBufferedBytes);
  }

  /** The bytes that wait for the client. */
  get bufferedBytes(): number {
    this.settle();
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
    const { batch, raw } = this;
    // A short replay costs one write with it. More would seem not to be taken by the client.
    const isJoined = batch !== undefined && batch.bytes < raw.writableHighWaterMark / 2;
    if (isJoined) raw.socket?.cork();
    if (opening !== '') this.write(Batch.of(opening));
    if (isJoined && this.isWritable) this.writeBatch(batch);
    if (isJoined) raw.socket?.uncork();
    // Whatever waits: the batch, the backlog, or who asked for `writable()`.
    this.joinTurn();
  }

  /**
   * Puts a frame into the batch of this turn, or into the backlog while the client is not reading.
   * Returns what the backlog did; the caller acts on it.
   * @param event the message in the frame, if it may be dropped
   * @param id the id of the frame
   */
  push(frame: string, event?: SseMessage, id?: string | number): Pushed {
    this.settle();
    this.writeFullBatch();
    // A failed write has ended the connection.
    if (this.phase === 'closed') return 0;
    // Nothing can be written yet, and the batch is full.
    const isFull = this.phase === 'held' && (this.batch?.bytes ?? 0) >= this.partBytes;
    if (!this.isBlocked && !isFull) {
      this.collect(frame, event !== undefined);
      this.joinTurn(event !== undefined);
      return 0;
    }
    const pushed = this.openBacklog().push(this.owner.waitingOf(frame, event, id));
    if (pushed !== 'overflow') this.dropped += pushed;
    return pushed;
  }

  /** Adds events, unless others wait already. Returns whether it did. */
  pushAll(events: Batch): boolean {
    this.settle();
    if (this.batch !== undefined || this.isBlocked) return false;
    this.batch = events;
    this.joinTurn(true);
    return true;
  }

  /**
   * Takes what `source` will have, at the end of the turn or before anything else. Returns how many
   * bytes that may be; 0 if frames cannot be collected now.
   */
  expect(source: FrameSource): number {
    this.settle();
    if (!this.isWritable || this.backlog !== undefined) return 0;
    const room = this.partBytes - (this.batch?.bytes ?? 0);
    if (room <= 0) return 0;
    this.source = source;
    this.joinTurn(true);
    return room;
  }

  /** Takes what a source has now. */
  settle(): void {
    const { source } = this;
    if (source === undefined) return;
    this.source = undefined;
    this.batch = source.take(this.batch);
  }

  /** Adds a frame that the connection ends with. No limit applies. */
  pushLast(frame: string): void {
    this.settle();
    if (this.isBlocked) this.openBacklog().pushLast({ frame });
    else this.collect(frame, false);
    this.joinTurn();
  }

  /** The turn calls it at its end. */
  flush(): void {
    this.leaveTurn();
    this.settle();
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

  written(): Promise<void> {
    if (this.phase === 'closed') return Deferred.rejected(new SseClosedError('the connection'));
    this.settle();
    if (this.batch === undefined && !this.isBlocked) return Promise.resolve();
    return this.nextWrite();
  }

  /** Writes everything pushed and ends the response. Blocked until the client has read it. */
  end(): void {
    this.settle();
    const { backlog, raw, encoder } = this;
    let last = this.batch;
    let [events, bytes] = [last?.events ?? 0, 0];
    this.discard();
    this.blockedAt ??= wholeNow();
    for (const part of backlog?.takeAll(END_PART_BYTES) ?? []) {
      const piece: Piece | undefined = last && (encoder?.next(last) ?? last);
      if (piece !== undefined) raw.write(piece.buffer);
      bytes += piece?.bytes ?? 0;
      events += part.events;
      last = part;
    }
    if (backlog?.isCut === true) return void raw.destroy();
    const end = encoder?.end(last) ?? last;
    raw.end(end?.buffer);
    if (end !== undefined && !isBroken(raw)) this.owner.wrote(events, bytes + end.bytes);
  }

  /** Drops everything that is not written. */
  discard(): void {
    this.settle();
    this.phase = 'closed';
    this.batch = undefined;
    this.backlog = undefined;
    this.rejectWaiters();
  }

  protected get isWritable(): boolean {
    return this.phase === 'open' && this.blockedAt === undefined;
  }

  private collect(frame: string, isEvent: boolean): void {
    this.batch = (this.batch ?? this.turn.root).append(frame, isEvent);
  }

  private openBacklog(): Backlog {
    const { settings, owner } = this;
    return (this.backlog ??= new Backlog(settings, owner.mark(), owner.gapFrame));
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
    const part = backlog.take(BACKLOG_PART_BYTES);
    // An empty chunk would end the body.
    if (part.bytes > 0) this.write(part);
    if (backlog.isCut) this.owner.cut();
    else if (backlog.isEmpty) this.backlog = undefined;
  }

  private write(batch: Batch): void {
    this.activeAt = wholeNow();
    if (batch.events > 0) this.beginWindow();
    try {
      const piece = this.encoder?.next(batch) ?? batch;
      if (!this.writer?.write(piece, this.onDrain)) {
        this.blockedAt = this.activeAt;
        this.owner.blocked();
        if (isBroken(this.raw)) return;
      }
      this.owner.wrote(batch.events, piece.bytes);
    } catch (error) {
      this.owner.failed(error);
    }
  }

  private readonly onDrain = (): void => {
    if (this.phase !== 'open') return;
    this.blockedAt = undefined;
    this.activeAt = wholeNow();
    // Joins the turn even if nothing waits, to resolve `writable()`.
    this.joinTurn();
  };
}
