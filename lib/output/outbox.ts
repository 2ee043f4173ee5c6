import type { ServerResponse } from 'node:http';
import { Backlog, type BacklogSettings, type Waiting } from './backlog.js';
import type { Batch, Turn, TurnWriter } from './batch.js';
import { Deferred } from '../ground/deferred.js';
import { SseClosedError } from '../ground/errors.js';
import { encode, Wire, type Encoded } from './chunk-writer.js';

/** A backlog is written in parts of this size, so that progress shows and the rest can still be left out. */
const BACKLOG_PART_BYTES = 65_536;

/**
 * What a turn collects is handed to the socket when it is this much, or as much as may wait, before anything is added to it.
 * What the socket does not take blocks the client, and the rest of the turn goes to the backlog, which has a limit.
 */
const TURN_PART_BYTES = 4_194_304;

/** An end writes what waits in parts of this size: one text cannot be longer than half a gigabyte. */
const END_PART_BYTES = 16_777_216;

/** Hears how it goes. */
export interface OutboxOwner {
  /** So much was handed to the socket. */
  wrote(events: number, bytes: number): void;
  /** The client takes nothing more at the moment. */
  blocked(): void;
  /** Frames have to wait: by which mark their client is known again. */
  mark(): string;
  /** It cannot be written to. Never throws. */
  failed(error: unknown): void;
}

/**
 * What is on its way to one client: frames are collected in the batch of the turn and written once per turn. While the
 * client takes nothing, they wait in its backlog.
 */
export class Outbox implements TurnWriter {
  private phase: 'held' | 'open' | 'closed' = 'held';
  private wire: Wire | undefined;
  private batch: Batch | undefined;
  private backlog: Backlog | undefined;
  private inTurn = false;
  private roomWaiters: Deferred<void> | undefined;

  /** When the last write or drain was. */
  activeAt = 0;
  /** Since when the client takes nothing: from a write that found no room to its drain. */
  blockedAt: number | undefined;
  private droppedBefore = 0;

  constructor(
    private readonly raw: ServerResponse,
    private readonly turn: Turn,
    private readonly settings: BacklogSettings,
    private readonly owner: OutboxOwner,
  ) {}

  /** How many events the backlog has left out. */
  get dropped(): number {
    return this.droppedBefore + (this.backlog?.dropped ?? 0);
  }

  /** What waits for the client, in bytes. */
  get bufferedBytes(): number {
    return (this.batch?.bytes ?? 0) + (this.backlog?.bytes ?? 0) + this.raw.writableLength;
  }

  /** Whether frames have to wait for the client. */
  get isBlocked(): boolean {
    return this.blockedAt !== undefined || this.backlog !== undefined;
  }

  /** Whether a frame may be pushed; if not, it has to wait, by `wait()`. Makes room first where much was collected. */
  takesMore(): boolean {
    const { batch } = this;
    if (batch !== undefined && batch.bytes >= this.partBytes && this.isWritable) {
      this.writeBatch(batch);
      // It could not be written.
      if (this.phase === 'closed') return false;
    }
    return !this.isBlocked;
  }

  /** The headers are sent: writes `opening` at once, and from now on what is pushed. */
  open(opening: string): void {
    this.phase = 'open';
    this.wire = new Wire(this.raw);
    if (opening !== '') this.write(encode(opening), 0, Buffer.byteLength(opening));
    if (this.batch !== undefined) this.joinTurn();
  }

  /** Appends a frame to what this turn writes. */
  push(frame: string, isEvent = false): void {
    this.batch = (this.batch ?? this.turn.root).append(frame, isEvent);
    this.joinTurn();
  }

  /** Puts a frame behind those that wait; answers false when they are too many and nothing may be left out. */
  wait(frame: Waiting): boolean {
    this.backlog ??= new Backlog(this.settings, this.owner.mark());
    return this.backlog.push(frame);
  }

  /** As `wait()`, for what comes before the end: never too much. */
  waitLast(frame: Waiting): void {
    this.backlog ??= new Backlog(this.settings, this.owner.mark());
    this.backlog.pushLast(frame);
  }

  /** The turn is over. */
  flush(): void {
    this.inTurn = false;
    if (!this.isWritable) return;
    // A batch is older than the backlog beside it.
    if (this.batch !== undefined) this.writeBatch(this.batch);
    else if (this.backlog !== undefined) this.writeBacklog(this.backlog);
    if (!this.isBlocked) this.tellRoom();
    else if (this.backlog !== undefined) this.joinTurn();
  }

  failed(error: unknown): void {
    this.owner.failed(error);
  }

  /** Resolves when all that was pushed is written and the client takes more; rejects when it has ended. */
  room(): Promise<void> {
    if (this.phase === 'closed') return Deferred.rejected(new SseClosedError('the connection'));
    if (this.batch === undefined && !this.isBlocked) return Promise.resolve();
    this.roomWaiters ??= new Deferred();
    return this.roomWaiters.promise;
  }

  /** Ends the response after what was pushed. Until the client has taken it, it counts as blocked. */
  end(): void {
    const { backlog, batch, raw } = this;
    const taken = backlog?.taken ?? 0;
    const parts = batch === undefined ? [] : [batch.buffer];
    for (const text of backlog?.takeAll(END_PART_BYTES) ?? []) parts.push(Buffer.from(text));
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.discard();
    this.blockedAt ??= now();
    const last = parts.pop();
    for (const part of parts) raw.write(part);
    raw.end(last);
    if (last === undefined || this.isBroken) return;
    this.owner.wrote((batch?.events ?? 0) + (backlog?.taken ?? 0) - taken, bytes);
  }

  /** Forgets what was not written. */
  discard(): void {
    this.phase = 'closed';
    this.droppedBefore = this.dropped;
    this.batch = undefined;
    this.backlog = undefined;
    this.roomWaiters?.reject(new SseClosedError('the connection'));
  }

  /** What was written to it has gone nowhere. */
  private get isBroken(): boolean {
    const { socket } = this.raw;
    return socket !== null && (socket.destroyed || Boolean(socket.errored));
  }

  private get partBytes(): number {
    return Math.min(TURN_PART_BYTES, this.settings.maxBufferedBytes);
  }

  private get isWritable(): boolean {
    return this.phase === 'open' && this.blockedAt === undefined;
  }

  private joinTurn(): void {
    if (this.inTurn || !this.isWritable) return;
    this.inTurn = true;
    this.turn.add(this);
  }

  private writeBatch(batch: Batch): void {
    this.batch = undefined;
    this.write(batch, batch.events, batch.bytes);
  }

  private writeBacklog(backlog: Backlog): void {
    const { taken } = backlog;
    const text = backlog.take(BACKLOG_PART_BYTES);
    this.write(encode(text), backlog.taken - taken, Buffer.byteLength(text));
    if (!backlog.isEmpty) return;
    this.droppedBefore = this.dropped;
    this.backlog = undefined;
  }

  private write(encoded: Encoded, events: number, bytes: number): void {
    this.activeAt = now();
    try {
      if (!this.wire?.write(encoded, this.onDrain)) {
        this.blockedAt = this.activeAt;
        this.owner.blocked();
        if (this.isBroken) return;
      }
      this.owner.wrote(events, bytes);
    } catch (error) {
      this.owner.failed(error);
    }
  }

  private readonly onDrain = (): void => {
    if (this.phase !== 'open') return;
    this.blockedAt = undefined;
    this.activeAt = now();
    // Through the turn also when nothing waits, to tell who waits for room.
    this.joinTurn();
  };

  private tellRoom(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = undefined;
    waiters?.resolve();
  }
}

/** In whole milliseconds: a fraction would cost each connection an object on the heap. */
function now(): number {
  return Math.floor(performance.now());
}
