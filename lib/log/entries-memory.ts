import { formatCursor, type Position } from '../wire/cursor.js';
import { SseConflictError } from '../ground/errors.js';
import { MAX_TIMER_MS } from '../ground/timers.js';
import { DueQueue } from './due-queue.js';
import type { EntryChange, EntryEnd, EntryTtl, RoomEntries } from './entries.js';
import { tooManyBytes, tooManyKeys } from './entry-limits.js';
import { EntryRoom } from './entry-room.js';
import type { NewEvent } from './event-log.js';
import { END_BYTES, STATE_BYTES, STATE_ROOM_BYTES, sizeOfText } from './heap-size.js';
import { memoryOf } from './large-event.js';
import type { StateOptions } from './state.options.js';

type EntryEvent = RoomEntries['events'][number];

/** An entry, which is also its place in the queue of those that end. */
interface Entry {
  readonly key: string;
  /** `undefined` once the entry is no longer there. */
  event: EntryEvent | undefined;
  readonly ttl: EntryTtl | undefined;
  /** Whole milliseconds, which take less memory. */
  readonly dueAt: number;
}

/** The entries of the rooms of a log in memory. Changes have been checked when they are made. */
export class MemoryEntries {
  private readonly rooms = new Map<string, EntryRoom<Entry>>();
  private readonly due = new DueQueue<Entry>();
  private total: number | undefined;
  private totalBytes = 0;
  /** How many items of `due` are still entries. */
  private ending = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limits: Required<StateOptions>,
    private readonly clock: () => number,
    /** Deletes an entry: appends the event. */
    private readonly end: (event: EntryEnd) => void,
  ) {}

  /** `undefined` as long as there never was one. */
  get count(): number | undefined {
    return this.total;
  }

  get bytes(): number {
    return this.totalBytes;
  }

  /**
   * Whether a change would change anything.
   * @throws SseConflictError, SseLimitError
   */
  admits({ rooms, body }: NewEvent, { key, kind, condition, ttl }: EntryChange): boolean {
    this.endDue();
    const [room = ''] = rooms;
    const entries = this.rooms.get(room);
    const known = entries?.get(key);
    // mutant: a condition is not looked at
    if (condition !== undefined) {
      const position = known?.event && formatCursor(known.event);
      const expected = condition === 'absent' ? undefined : formatCursor(condition);
      if (position !== expected) throw new SseConflictError(room, key, position);
    }
    if (kind === 'delete') return known !== undefined;
    if (known === undefined) this.checkKeys(room);
    const bytes = sizeOf(key, ttl, sizeOfText(body)) + (entries?.size ? 0 : bytesOfRoom(room));
    if (this.totalBytes + bytes - (known ? bytesOf(known) : 0) <= this.limits.maxBytes) return true;
    throw tooManyBytes(key, this.limits.maxBytes);
  }

  private checkKeys(room: string): void {
    const { maxKeys } = this.limits;
    if ((this.rooms.get(room)?.size ?? 0) >= maxKeys) throw tooManyKeys(room, maxKeys);
  }

  /** @param last of the room before this change */
  change(
    { key, kind, ttl }: EntryChange,
    event: EntryEvent,
    last: { readonly position: Position; readonly isKept: boolean },
  ): void {
    const [name = ''] = event.rooms;
    let room = this.rooms.get(name);
    if (room === undefined) {
      room = new EntryRoom(last.isKept, last.position);
      this.rooms.set(name, room);
    }
    const known = room.get(key);
    if (known !== undefined) this.remove(name, room, known);
    if (kind === 'delete') return;
    if (room.size === 0) this.totalBytes += bytesOfRoom(name);
    const dueAt = ttl === undefined ? 0 : Math.ceil(this.clock() + ttl.ms);
    const entry = { key, event, ttl, dueAt };
    room.add(entry);
    this.total = (this.total ?? 0) + 1;
    this.totalBytes += bytesOf(entry);
    if (ttl !== undefined) this.endLater(entry);
  }

  private remove(name: string, room: EntryRoom<Entry>, entry: Entry): void {
    room.delete(entry.key);
    this.total = (this.total ?? 0) - 1;
    this.totalBytes -= bytesOf(entry) + (room.size === 0 ? bytesOfRoom(name) : 0);
    // mutant: an entry that was set again ends with the old one
    entry.event = undefined;
    if (entry.ttl !== undefined) this.ending--;
  }

  /** An event without a change of an entry was appended to a room. */
  addPlain(room: string, position: Position): void {
    const known = this.rooms.get(room);
    if (known === undefined) return;
    known.hasPlain = true;
    known.lastPlain = position;
  }

  /** The room keeps no event any more. */
  forget(room: string): void {
    if (this.rooms.get(room)?.size === 0) this.rooms.delete(room);
  }

  entry(room: string, key: string): EntryEvent | undefined {
    this.endDue();
    return this.rooms.get(room)?.get(key)?.event;
  }

  read(name: string): Pick<RoomEntries, 'events' | 'hasPlain' | 'lastPlain'> | undefined {
    this.endDue();
    const room = this.rooms.get(name);
    if (room === undefined) return undefined;
    const { hasPlain, lastPlain } = room;
    const events: EntryEvent[] = [];
    for (const { event } of room.values()) if (event !== undefined) events.push(event);
    return { events, hasPlain, lastPlain };
  }

  close(): void {
    this.rooms.clear();
    this.due.keep(() => false);
    this.total = this.totalBytes = this.ending = 0;
    clearTimeout(this.timer);
  }

  private endLater(entry: Entry): void {
    this.ending++;
    // Those that were set again, or deleted, stay behind.
    if (this.due.length > 1.1 * this.ending + 64) this.due.keep(({ event }) => event !== undefined);
    const isFirst = entry.dueAt < this.due.dueAt;
    this.due.push(entry);
    if (isFirst) this.wakeAtFirst();
  }

  private wakeAtFirst(): void {
    clearTimeout(this.timer);
    const { dueAt } = this.due;
    if (dueAt === Infinity) return;
    this.timer = setTimeout(
      () => this.endDue(),
      Math.min(Math.max(0, dueAt - this.clock()), MAX_TIMER_MS),
    );
    this.timer.unref();
  }

  private deleteEnded({ key, ttl }: Entry, { rooms: [room = ''] }: EntryEvent): void {
    if (ttl !== undefined) this.end(ttl.end(room, key));
  }

  /** Also before each change and read, so that nobody sees an entry that has ended. */
  private endDue(): void {
    if (this.due.length === 0) return;
    const now = this.clock();
    while (this.due.dueAt <= now) {
      const entry = this.due.shift();
      if (entry?.event !== undefined) this.deleteEnded(entry, entry.event);
    }
    this.wakeAtFirst();
  }
}

function bytesOf({ key, ttl, event }: Entry): number {
  return sizeOf(key, ttl, event === undefined ? 0 : memoryOf(event));
}

function sizeOf(key: string, ttl: EntryTtl | undefined, textBytes: number): number {
  const endBytes = ttl === undefined ? 0 : END_BYTES;
  return STATE_BYTES + sizeOfText(key) + textBytes + endBytes;
}

function bytesOfRoom(name: string): number {
  return STATE_ROOM_BYTES + sizeOfText(name);
}
