import { formatCursor, type Position } from '../wire/cursor.js';
import { SseConflictError } from '../ground/errors.js';
import { MAX_TIMER_MS } from '../ground/timers.js';
import { DueQueue } from './due-queue.js';
import type { EntryChange, EntryEnd, EntryTtl, RoomEntries } from './entries.js';
import { tooManyBytes, tooManyKeys } from './entry-limits.js';
import type { NewEvent } from './event-log.js';
import { END_BYTES, ENTRY_BYTES, EVENT_BYTES, ROOM_BYTES, sizeOfText } from './heap-size.js';
import { memoryOf } from './large-event.js';
import type { StateOptions } from './state.options.js';

type EntryEvent = RoomEntries['events'][number];

interface Entry {
  readonly event: EntryEvent;
  readonly bytes: number;
  readonly end: End | undefined;
}

/** The end of an entry. Does not hold the entry, which may be replaced long before. */
interface End {
  readonly room: string;
  readonly key: string;
  readonly dueAt: number;
  readonly ttl: EntryTtl;
}

interface StateRoom {
  /** In the order of their positions. */
  readonly entries: Map<string, Entry>;
  hasPlain: boolean;
  lastPlain: Position;
}

/** The entries of the rooms of a log in memory. Changes have been checked when they are made. */
export class MemoryEntries {
  private readonly rooms = new Map<string, StateRoom>();
  private readonly due = new DueQueue<End>();
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
    const entries = this.rooms.get(room)?.entries;
    const known = entries?.get(key);
    // mutant: a condition is not looked at
    if (condition !== undefined) {
      const position = known && formatCursor(known.event);
      const expected = condition === 'absent' ? undefined : formatCursor(condition);
      if (position !== expected) throw new SseConflictError(room, key, position);
    }
    if (kind === 'delete') return known !== undefined;
    if (known === undefined) this.checkKeys(room);
    const bytes = bytesOf(key, sizeOfText(body), ttl) + (entries?.size ? 0 : bytesOfRoom(room));
    if (this.totalBytes + bytes - (known?.bytes ?? 0) <= this.limits.maxBytes) return true;
    throw tooManyBytes(key, this.limits.maxBytes);
  }

  private checkKeys(room: string): void {
    const { maxKeys } = this.limits;
    if ((this.rooms.get(room)?.entries.size ?? 0) >= maxKeys) throw tooManyKeys(room, maxKeys);
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
      room = { entries: new Map(), hasPlain: last.isKept, lastPlain: last.position };
      this.rooms.set(name, room);
    }
    const known = room.entries.get(key);
    if (known !== undefined) this.remove(name, room, key, known);
    if (kind === 'delete') return;
    if (room.entries.size === 0) this.totalBytes += bytesOfRoom(name);
    const bytes = bytesOf(key, memoryOf(event), ttl);
    const end = ttl && { room: name, key, dueAt: this.clock() + ttl.ms, ttl };
    room.entries.set(key, { event, bytes, end });
    this.total = (this.total ?? 0) + 1;
    this.totalBytes += bytes;
    if (end !== undefined) this.endLater(end);
  }

  private remove(name: string, { entries }: StateRoom, key: string, { bytes, end }: Entry): void {
    entries.delete(key);
    this.total = (this.total ?? 0) - 1;
    this.totalBytes -= bytes + (entries.size === 0 ? bytesOfRoom(name) : 0);
    if (end !== undefined) this.ending--;
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
    if (this.rooms.get(room)?.entries.size === 0) this.rooms.delete(room);
  }

  entry(room: string, key: string): EntryEvent | undefined {
    this.endDue();
    return this.rooms.get(room)?.entries.get(key)?.event;
  }

  read(name: string): Pick<RoomEntries, 'events' | 'hasPlain' | 'lastPlain'> | undefined {
    this.endDue();
    const room = this.rooms.get(name);
    if (room === undefined) return undefined;
    const { entries, hasPlain, lastPlain } = room;
    return { events: Array.from(entries.values(), ({ event }) => event), hasPlain, lastPlain };
  }

  close(): void {
    this.rooms.clear();
    this.due.keep(() => false);
    this.total = this.totalBytes = this.ending = 0;
    clearTimeout(this.timer);
  }

  private endLater(end: End): void {
    this.ending++;
    // Entries that were set again leave their old item behind.
    if (this.due.length > 2 * this.ending + 64) this.due.keep((item) => this.isCurrent(item));
    const isFirst = end.dueAt < this.due.dueAt;
    this.due.push(end);
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

  /** Also before each change and read, so that nobody sees an entry that has ended. */
  private endDue(): void {
    if (this.due.length === 0) return;
    const now = this.clock();
    while (this.due.dueAt <= now) {
      const end = this.due.shift();
      // mutant: an entry that was set again ends with the old one
      if (end !== undefined && this.isCurrent(end)) this.end(end.ttl.end());
    }
    this.wakeAtFirst();
  }

  private isCurrent(end: End): boolean {
    return this.rooms.get(end.room)?.entries.get(end.key)?.end === end;
  }
}

/** Counts the event as if history did not keep it too. */
function bytesOf(key: string, textBytes: number, ttl: EntryChange['ttl']): number {
  const endBytes = ttl === undefined ? 0 : END_BYTES;
  return EVENT_BYTES + ENTRY_BYTES + sizeOfText(key) + textBytes + endBytes;
}

function bytesOfRoom(name: string): number {
  return ROOM_BYTES + sizeOfText(name);
}
