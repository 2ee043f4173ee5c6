import type { Position } from '../wire/cursor.js';
import type { Gap, GapReason, Head } from '../log/event-log.js';
import { isCovered } from '../log/resume.js';
import type { StoredEvent } from '../log/event-text.js';
import type { ReadLimits } from './log-reads.js';
import type { ReadReply, ReadRoom, RoomAsk } from './read-reply.js';
import { bytesOf } from './tail.js';

/** Reads rooms with one script. */
export type ReadChunk = (asks: readonly RoomAsk[], limits: ReadLimits) => Promise<ReadReply>;

/** Rooms per script. */
const CHUNK_ROOMS = 1_000;
/** The most that one script returns. */
const CHUNK_EVENTS = 10_000;
const CHUNK_BYTES = 1_048_576;

/**
 * Events are kept until they can be handed on in order. Beyond this, rooms are reported as lost.
 */
const MAX_EVENTS = 100_000;
const MAX_BYTES = 16 * 1_048_576;

/** A chunk that fails this often is halved: something in it may be too much for Redis. */
const CHUNK_FAILURES = 2;
const ROOM_FAILURES = 3;

/** Up to 1 s for 100 000 rooms. */
const DELAY_MS_PER_ROOM = 0.01;
const MAX_DELAY_MS = 2_000;
const FEW_ROOMS = 2_000;

/**
 * How long to wait before reading many rooms. Random, so that processes that lost their connection
 * together do not all read at once.
 */
export function delayMsFor(rooms: number): number {
  if (rooms <= FEW_ROOMS) return 0;
  return Math.random() * Math.min(MAX_DELAY_MS, rooms * DELAY_MS_PER_ROOM);
}

interface Chunk {
  readonly asks: readonly RoomAsk[];
  readonly maxBytes: number;
  failures: number;
}

/**
 * Reads what the rooms of a process missed between two heads, in chunks. `gaps` and `missed` are
 * complete only when nothing is left to read. A failed read loses no earlier chunk.
 */
export class Repair {
  private readonly queue: Chunk[] = [];
  private readonly known = new Set<string>();
  private readonly lost = new Map<string, GapReason>();
  private readonly found = new Map<string, StoredEvent[]>();
  private readonly events = new Map<Position, StoredEvent>();
  private bytes = 0;

  constructor(
    private readonly at: Head,
    readonly upTo: Head,
    private readonly read: ReadChunk,
  ) {}

  /**
   * Whether something is left to read. Includes rooms that got subscriptions during the repair: a
   * client that resumes in this process expects all events after `at`.
   */
  isUnfinished(rooms: () => readonly string[]): boolean {
    if (this.queue.length > 0) return true;
    const asks: RoomAsk[] = [];
    // mutant: a repair leaves out rooms that are read meanwhile
    for (const room of rooms()) {
      if (this.known.has(room)) continue;
      this.known.add(room);
      // mutant: a repair begins at the head
      asks.push({ room, after: this.at.position });
    }
    for (let from = 0; from < asks.length; from += CHUNK_ROOMS) {
      const chunk = asks.slice(from, from + CHUNK_ROOMS);
      this.queue.push({ asks: chunk, maxBytes: CHUNK_BYTES, failures: 0 });
    }
    return this.queue.length > 0;
  }

  /**
   * Reads the next chunk. Call it only after Redis has just answered something else, because a
   * failure counts against the chunk.
   */
  async readNext(): Promise<void> {
    const [chunk] = this.queue;
    if (chunk === undefined) return;
    const maxEvents = this.isFull ? 0 : CHUNK_EVENTS;
    let reply: ReadReply;
    try {
      reply = await this.read(chunk.asks, { maxEvents, maxBytes: chunk.maxBytes });
    } catch (error) {
      this.failed(chunk);
      throw error;
    }
    if (reply.epoch !== this.upTo.epoch)
      throw new Error('the history was replaced while it was read');
    this.queue.shift();
    const left = chunk.asks.flatMap((ask, n) => this.take(ask, reply.rooms[n]) ?? []);
    if (left.length > 0) this.queue.unshift({ ...chunk, asks: left, failures: 0 });
  }

  /** Hand them on before the events. */
  get gaps(): Gap[] {
    const reasons = new Map<GapReason, string[]>();
    for (const [room, reason] of this.lost) {
      const rooms = reasons.get(reason);
      if (rooms === undefined) reasons.set(reason, [room]);
      else rooms.push(room);
    }
    return [...reasons].map(([reason, rooms]) => ({ rooms, reason }));
  }

  /** The events of the rooms without a gap, in the order of positions. */
  get missed(): StoredEvent[] {
    const events = new Set([...this.found.values()].flat());
    return [...events].sort((a, b) => a.position - b.position);
  }

  private get isFull(): boolean {
    return this.events.size > MAX_EVENTS || this.bytes > MAX_BYTES;
  }

  /** Returns where to continue in a room that was not read to its end. */
  private take(ask: RoomAsk, state: ReadRoom | undefined): RoomAsk | undefined {
    if (state === undefined) return ask;
    const { last, entries, isWhole, isDamaged } = state;
    const newest = entries.at(-1);
    if (isDamaged) return this.lose(ask.room, 'unknown');
    if (newest === undefined && !isWhole) {
      return this.isFull ? this.lose(ask.room, 'overflow') : ask;
    }
    if (!isCovered(ask.after, last, entries[0])) return this.lose(ask.room, 'trimmed');
    this.keep(ask.room, state);
    const isRead = isWhole || newest === undefined || newest.event.position >= this.upTo.position;
    if (isRead) return undefined;
    if (this.isFull) return this.lose(ask.room, 'overflow');
    return { room: ask.room, after: newest.event.position };
  }

  private keep(room: string, { entries }: ReadRoom): void {
    const found = this.found.get(room) ?? [];
    for (const { event } of entries) {
      // Newer events arrive as notices.
      if (event.position > this.upTo.position) break;
      const known = this.events.get(event.position);
      if (known === undefined) {
        this.events.set(event.position, event);
        this.bytes += bytesOf(event);
      }
      found.push(known ?? event);
    }
    if (found.length > 0) this.found.set(room, found);
  }

  private lose(room: string, reason: GapReason): undefined {
    this.lost.set(room, reason);
    this.found.delete(room);
  }

  private failed(chunk: Chunk): void {
    const { asks } = chunk;
    chunk.failures++;
    if (asks.length > 1 && chunk.failures >= CHUNK_FAILURES) {
      const half = Math.ceil(asks.length / 2);
      const maxBytes = Math.ceil(chunk.maxBytes / 2);
      const halves = [asks.slice(0, half), asks.slice(half)];
      this.queue.splice(0, 1, ...halves.map((part) => ({ asks: part, maxBytes, failures: 0 })));
    } else if (chunk.failures >= ROOM_FAILURES) {
      this.queue.shift();
      for (const { room } of asks) this.lose(room, 'overflow');
    }
  }
}

/** An event that this process handed on, and one of its rooms. */
export interface TakenEvent {
  readonly room: string;
  readonly position: Position;
}

/** Whether the log has this event, or had it and removed it. */
export async function hasHad(
  read: ReadChunk,
  epoch: string,
  { room, position }: TakenEvent,
): Promise<boolean> {
  const ask = { room, after: position - 1 };
  const reply = await read([ask], { maxEvents: 1, maxBytes: 1 });
  if (reply.epoch !== epoch) throw new Error('the history was replaced while it was read');
  const { last, entries } = reply.rooms[0] ?? { last: 0, entries: [] };
  const [first] = entries;
  if (first === undefined) return last >= position;
  return first.event.position === position || first.previous >= position;
}
