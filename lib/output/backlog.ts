import { withMark } from '../wire/last-event-id.js';
import { encodeFrame } from '../wire/frame.js';
import { Batch } from './batch.js';

/**
 * What happens if the backlog of a client is too large. See `BackpressureOptions.overflow`.
 * @publicApi
 */
export type Overflow = 'disconnect' | 'drop-oldest' | 'drop-newest' | 'conflate';

/** One frame that waits. */
export interface Waiting {
  readonly frame: string;
  /** The rooms to name if it is left out; absent on what is never left out, such as a gap. */
  readonly rooms?: readonly string[];
  /** A later one with the same key stands for it. */
  readonly key?: string;
  /** Its id, where that is a cursor: it goes out with the client's mark. */
  readonly cursor?: string | undefined;
}

/** The options of the stream. */
export interface BacklogSettings {
  readonly overflow: Overflow;
  readonly maxBufferedBytes: number;
}

interface Entry extends Waiting {
  readonly bytes: number;
}

/**
 * What an entry takes beside its frame is about this much, so no more of them wait than this many
 * bytes each make up the limit; a small limit still has room for some.
 */
const ENTRY_BYTES = 256;
const MIN_ENTRIES = 1_000;

/**
 * How many events were left out for a frame; or that the client has to be disconnected, as nothing
 * may be left out.
 */
export type Pushed = number | 'overflow';

/**
 * The frames for a client that takes nothing at the moment: references to shared frames, counted in
 * bytes, and of small frames in how many there are. Beyond its limit it leaves events out as its
 * policy says, and tells the client so at the place where they would have been. The newest event
 * may always wait, or a client would lose one that is larger than what is left of the limit.
 */
export class Backlog {
  /** The size of the frames that wait. */
  bytes = 0;
  /** In the order in which they will be written. */
  private readonly entries = new Map<unknown, Entry>();
  /** Rooms that lost events older than some that wait. */
  private lostBefore: Set<string> | undefined;
  /** Rooms that lost events newer than all that wait. */
  private lostAfter: Set<string> | undefined;
  private serial = 0;

  private readonly overflow: Overflow;
  private readonly maxBytes: number;
  private readonly maxEntries: number;

  /** @param mark by which the client is known again; see `SlowClients` */
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

  /** As `push()`, for what the connection ends with: nothing is left out for it. */
  pushLast(waiting: Waiting): void {
    this.append(this.serial++, waiting, Buffer.byteLength(waiting.frame));
  }

  /** Takes the oldest frames out, up to about so many bytes. */
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

  /** Takes everything out, in parts of about so many bytes. */
  *takeAll(partBytes: number): Generator<Batch> {
    while (!this.isEmpty) yield this.take(partBytes);
  }

  /**
   * Only now: while they wait, frames are shared with other clients. The cursor ends its frame,
   * before the blank line.
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

  /** Answers how many events this leaves out. */
  private leaveOut(key: unknown): number {
    const entry = this.entries.get(key);
    if (entry === undefined) return 0;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
    this.lostBefore ??= new Set();
    for (const room of entry.rooms ?? []) this.lostBefore.add(room);
    return 1;
  }

  /** Something follows what was left out: the word about it goes between. */
  private endLostAfter(): void {
    if (this.lostAfter === undefined) return;
    // It counts for nothing: there is one at most between two events.
    this.entries.set(this.serial++, { frame: gapFrame(this.lostAfter), bytes: 0 });
    this.lostAfter = undefined;
  }
}

function gapFrame(rooms: ReadonlySet<string>): string {
  return encodeFrame({ type: 'sse-gap', data: { rooms: [...rooms], reason: 'overflow' } });
}
