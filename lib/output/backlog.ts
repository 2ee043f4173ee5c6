import { withMark } from '../wire/last-event-id.js';
import { encodeFrame } from '../wire/frame.js';
import { Batch } from './batch.js';

/**
 * What happens if the backlog of a client is too large. See `BackpressureOptions.overflow`.
 * @publicApi
 */
export type Overflow = 'disconnect' | 'drop-oldest' | 'drop-newest' | 'conflate';

/** A frame in the backlog. */
export interface Waiting {
  readonly frame: string;
  /** The rooms to name in the gap if it is dropped. Absent on frames that are never dropped. */
  readonly rooms?: readonly string[];
  /** With `conflate`, a later frame with the same key replaces it. */
  readonly key?: string;
  /** The frame's id if it is a cursor: the client's mark is added to it. */
  readonly cursor?: string | undefined;
}

/** The stream's options for backpressure. */
export interface BacklogSettings {
  readonly overflow: Overflow;
  readonly maxBufferedBytes: number;
}

interface Entry extends Waiting {
  readonly bytes: number;
}

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
  /** In the order in which they will be written. */
  private readonly entries = new Map<unknown, Entry>();
  /** Rooms that lost events older than some waiting ones: their gap is written first. */
  private lostBefore: Set<string> | undefined;
  /** Rooms that lost events newer than all waiting ones: their gap is written last. */
  private lostAfter: Set<string> | undefined;
  private serial = 0;

  private readonly overflow: Overflow;
  private readonly maxBytes: number;
  private readonly maxEntries: number;

  /** @param mark identifies the client when it returns; see `SlowClients` */
  constructor(
    { overflow, maxBufferedBytes }: BacklogSettings,
    private readonly mark: string,
  ) {
    this.overflow = overflow;
    this.maxBytes = maxBufferedBytes;
    this.maxEntries = Math.max(MIN_ENTRIES, Math.floor(maxBufferedBytes / ENTRY_BYTES));
  }

  get isEmpty(): boolean {
    return this.entries.size === 0 && this.lostAfter === undefined;
  }

  push(waiting: Waiting): Pushed {
    const bytes = Buffer.byteLength(waiting.frame);
    const key = this.overflow === 'conflate' ? waiting.key : undefined;
    let left = key === undefined ? 0 : this.leaveOut(key);
    const limit = Math.max(this.maxBytes, bytes);
    const isFull = this.bytes + bytes > limit || this.entries.size >= this.maxEntries;
    if (this.overflow === 'drop-newest' && waiting.rooms && isFull) {
      this.lostAfter ??= new Set();
      for (const room of waiting.rooms) this.lostAfter.add(room);
      return 1;
    }
    const newest = key ?? this.serial++;
    this.append(newest, waiting, bytes);
    const fits = (): boolean => this.bytes <= limit && this.entries.size <= this.maxEntries;
    if (fits()) return left;
    if (this.overflow === 'disconnect') return 'overflow';
    for (const [oldest, { rooms }] of this.entries) {
      if (fits() || oldest === newest) break;
      if (rooms !== undefined) left += this.leaveOut(oldest);
    }
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
      text = gapFrame(this.lostBefore);
      this.lostBefore = undefined;
    }
    for (const [key, entry] of this.entries) {
      if (bytes > 0 && bytes + entry.bytes > maxBytes) break;
      text += this.marked(entry);
      bytes += entry.bytes;
      if (entry.rooms !== undefined) events++;
      this.entries.delete(key);
    }
    this.bytes -= bytes;
    if (this.entries.size === 0 && this.lostAfter !== undefined) {
      text += gapFrame(this.lostAfter);
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
  private marked({ frame, cursor }: Entry): string {
    if (cursor === undefined) return frame;
    return `${frame.slice(0, -cursor.length - 2)}${withMark(cursor, this.mark)}\n\n`;
  }

  private append(key: unknown, waiting: Waiting, bytes: number): void {
    this.endLostAfter();
    this.entries.set(key, { ...waiting, bytes });
    this.bytes += bytes;
  }

  /** Drops an entry. Returns the number of dropped events. */
  private leaveOut(key: unknown): number {
    const entry = this.entries.get(key);
    if (entry === undefined) return 0;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
    this.lostBefore ??= new Set();
    for (const room of entry.rooms ?? []) this.lostBefore.add(room);
    return 1;
  }

  /** A frame follows the dropped events, so their gap goes between. */
  private endLostAfter(): void {
    if (this.lostAfter === undefined) return;
    // A gap counts 0 bytes: there is at most one between two events.
    this.entries.set(this.serial++, { frame: gapFrame(this.lostAfter), bytes: 0 });
    this.lostAfter = undefined;
  }
}

function gapFrame(rooms: ReadonlySet<string>): string {
  return encodeFrame({ type: 'sse-gap', data: { rooms: [...rooms], reason: 'overflow' } });
}
