import type { Gap } from '../log/event-log.js';
import { withMark } from '../wire/last-event-id.js';
import { encodeFrame } from '../wire/frame.js';
import { Batch } from './batch.js';
import { Joined, type Joinable } from './joinable.js';

/**
 * What happens if the backlog of a client is too large. See `BackpressureOptions.overflow`.
 * @publicApi
 */
export type Overflow = 'disconnect' | 'drop-oldest' | 'drop-newest' | 'conflate' | 'append';

/** A frame in the backlog. */
export interface Waiting {
  readonly frame: string;
  /** The rooms to name in the gap if it is dropped. Absent on frames that are never dropped. */
  readonly rooms?: readonly string[];
  /** With `conflate`, a later frame with the same key replaces it. */
  readonly key?: string;
  /** With `append`, the frame and the one before it may become one. */
  readonly joinable?: Joinable | undefined;
  /**
   * The entry that the frame changes. A later change of it replaces the frame, and says all that it
   * said; other changes are never dropped.
   */
  readonly change?: string;
  /** The frame's id if it is a cursor: the client's mark is added to it. */
  readonly cursor?: string | undefined;
}

/** The stream's options for backpressure. */
export interface BacklogSettings {
  readonly overflow: Overflow;
  readonly maxBufferedBytes: number;
}

interface Entry extends Waiting {
  /** At least the size of the frame. */
  readonly bytes: number;
  /** Several events, of which the frame is made when it is needed. */
  readonly joined?: Joined | undefined;
  /** The frame is a gap for these rooms. */
  readonly lost?: ReadonlySet<string>;
}

/** The frame that tells of events that were dropped; `undefined` if the client is cut instead. */
export type GapFrame = (gap: Gap) => string | undefined;

/**
 * About what an entry takes beside its frame. It limits the number of entries to one per this many
 * bytes of the size limit, but to no less than `MIN_ENTRIES`.
 */
const ENTRY_BYTES = 256;
const MIN_ENTRIES = 1_000;

/**
 * How many events were dropped for a frame; or `overflow` if the client must be disconnected,
 * because nothing may be dropped.
 */
export type Pushed = number | 'overflow';

/**
 * The frames that wait while a client reads nothing. It stores references to frames that clients
 * share, and limits their bytes and their number. Above the limit it drops events by its policy,
 * and puts an `sse-gap` where they would have been. The newest event may always wait: an event
 * larger than the rest of the limit would otherwise never arrive.
 */
export class Backlog {
  /** The size of all waiting frames. */
  bytes = 0;
  /** Whether it has come to a gap of which the client cannot be told. */
  isCut = false;
  /** In the order in which they will be written. */
  private readonly entries = new Map<unknown, Entry>();
  /** Rooms that lost events older than some waiting ones: their gap is written first. */
  private lostBefore: Set<string> | undefined;
  /** Rooms that lost events newer than all waiting ones: their gap is written last. */
  private lostAfter: Set<string> | undefined;
  private serial = 0;
  /** The key of the entry that was added last, whether it still waits or not. */
  private newest: unknown;

  private readonly overflow: Overflow;
  private readonly maxBytes: number;
  private readonly maxEntries: number;

  /** @param mark identifies the client when it returns; see `SlowClients` */
  constructor(
    { overflow, maxBufferedBytes }: BacklogSettings,
    private readonly mark: string,
    private readonly gapFrame: GapFrame = defaultGapFrame,
  ) {
    this.overflow = overflow;
    this.maxBytes = maxBufferedBytes;
    this.maxEntries = Math.max(MIN_ENTRIES, Math.floor(maxBufferedBytes / ENTRY_BYTES));
  }

  get isEmpty(): boolean {
    return this.isCut || (this.entries.size === 0 && this.lostAfter === undefined);
  }

  push(waiting: Waiting): Pushed {
    const bytes = Buffer.byteLength(waiting.frame);
    const key = this.keyOf(waiting);
    let left = key === undefined ? 0 : this.leaveOut(key, waiting.change === undefined);
    const limit = Math.max(this.maxBytes, bytes);
    const isFull = this.bytes + bytes > limit || this.entries.size >= this.maxEntries;
    if (this.overflow === 'drop-newest' && waiting.rooms && isFull) {
      this.lostAfter ??= new Set();
      for (const room of waiting.rooms) this.lostAfter.add(room);
      return 1;
    }
    if (!this.join(waiting, bytes)) this.append(key ?? this.serial++, waiting, bytes);
    const { newest } = this;
    const fits = (): boolean => this.bytes <= limit && this.entries.size <= this.maxEntries;
    if (fits()) return left;
    if (this.overflow === 'append') this.countJoined();
    if (fits()) return left;
    if (this.overflow === 'disconnect' || this.overflow === 'append') return 'overflow';
    for (const [oldest, { rooms }] of this.entries) {
      if (fits() || oldest === newest) break;
      if (rooms !== undefined) left += this.leaveOut(oldest);
    }
    // What is left are frames that are never dropped.
    if (waiting.change !== undefined && !fits()) return 'overflow';
    return left;
  }

  /** Adds a frame that the connection ends with. Drops nothing for it. */
  pushLast(waiting: Waiting): void {
    this.append(this.serial++, waiting, Buffer.byteLength(waiting.frame));
  }

  /** Removes the oldest frames, about `maxBytes` of them. */
  take(maxBytes: number): Batch {
    let text = '';
    let bytes = 0;
    let events = 0;
    if (this.lostBefore !== undefined) {
      text = this.gapText(this.lostBefore);
      this.lostBefore = undefined;
    }
    for (const [key, entry] of this.entries) {
      if (this.isCut || (bytes > 0 && bytes + entry.bytes > maxBytes)) break;
      text += entry.lost === undefined ? this.marked(entry) : this.gapText(entry.lost);
      bytes += entry.bytes;
      if (entry.rooms !== undefined || entry.change !== undefined) events++;
      this.entries.delete(key);
    }
    this.bytes -= bytes;
    if (this.entries.size === 0 && this.lostAfter !== undefined) {
      text += this.gapText(this.lostAfter);
      this.lostAfter = undefined;
    }
    return Batch.of(text, events);
  }

  /** Removes everything, in parts of about `partBytes`. */
  *takeAll(partBytes: number): Generator<Batch> {
    while (!this.isEmpty) yield this.take(partBytes);
  }

  /**
   * Adds the mark only when the frame is written: until then, clients share its text. The cursor is
   * the end of a frame, before the blank line.
   */
  private marked(entry: Entry): string {
    const { cursor } = entry;
    const frame = frameOf(entry);
    if (cursor === undefined) return frame;
    return `${frame.slice(0, -cursor.length - 2)}${withMark(cursor, this.mark)}\n\n`;
  }

  private gapText(rooms: ReadonlySet<string>): string {
    if (this.isCut) return '';
    const text = this.gapFrame({ rooms: [...rooms], reason: 'overflow' });
    this.isCut = text === undefined;
    return text ?? '';
  }

  /**
   * Makes a frame and the last one before it one. Only neighbours: the id of the joined event says
   * that the client has everything up to the later one.
   */
  private join(waiting: Waiting, bytes: number): boolean {
    const { joinable } = waiting;
    const last = joinable && this.entries.get(this.newest);
    if (joinable === undefined || last?.joinable === undefined) return false;
    const joined = Joined.of(last.joinable, last.joined, joinable);
    if (joined === undefined) return false;
    // The text alone is added to the frame. Of other data nobody knows before it is encoded.
    const { data } = joinable;
    const added = typeof data === 'string' ? sizeOfLines(data) : bytes;
    this.entries.set(this.newest, { ...waiting, joined, bytes: last.bytes + added });
    this.bytes += added;
    return true;
  }

  /** Finds out the real size of joined frames. */
  private countJoined(): void {
    for (const [key, entry] of this.entries) {
      if (entry.joined === undefined) continue;
      const bytes = Buffer.byteLength(frameOf(entry));
      this.bytes += bytes - entry.bytes;
      this.entries.set(key, { ...entry, bytes });
    }
  }

  private append(key: unknown, waiting: Waiting, bytes: number): void {
    this.endLostAfter();
    this.entries.set(key, { ...waiting, bytes });
    this.newest = key;
    this.bytes += bytes;
  }

  private keyOf({ key, change }: Waiting): string | undefined {
    if (change !== undefined) return `state ${change}`;
    return this.overflow === 'conflate' && key !== undefined ? `app ${key}` : undefined;
  }

  /** Drops an entry. Returns the number of dropped events. */
  private leaveOut(key: unknown, isLost = true): number {
    const entry = this.entries.get(key);
    if (entry === undefined) return 0;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
    if (!isLost) return 0;
    this.lostBefore ??= new Set();
    for (const room of entry.rooms ?? []) this.lostBefore.add(room);
    return 1;
  }

  /** A frame follows the dropped events, so their gap goes between. */
  private endLostAfter(): void {
    if (this.lostAfter === undefined) return;
    // A gap counts 0 bytes: there is at most one between two events.
    this.entries.set(this.serial++, { frame: '', lost: this.lostAfter, bytes: 0 });
    this.lostAfter = undefined;
  }
}

function frameOf({ frame, joinable, joined }: Entry): string {
  return joined === undefined || joinable === undefined ? frame : joinable.frameOf(joined.data);
}

/** Each line has a field name before it. */
function sizeOfLines(text: string): number {
  return Buffer.byteLength(text) + 6 * (text.split(/\r\n|[\r\n]/).length - 1);
}

function defaultGapFrame(gap: Gap): string {
  return encodeFrame({ type: 'sse-gap', data: gap });
}
