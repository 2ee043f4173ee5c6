import type { Position } from '../wire/cursor.js';
import { MAX_TIMER_MS } from '../ground/timers.js';
import type { RoomEntry } from './event-log.js';
import type { HistoryOptions } from './history.options.js';
import { ENTRY_BYTES, EVENT_BYTES, ownText, ROOM_BYTES, sizeOfText } from './heap-size.js';
import { IdempotencyKeys, KEY_LIFETIME_MS } from './idempotency-keys.js';
import { Ring } from './ring.js';
import type { RoomView } from './room-range.js';

type KeptEvent = RoomEntry['event'];

/** An event, and the number of rooms that still keep it (`in`). */
interface Kept {
  /** `undefined` once no room keeps it. */
  event: KeptEvent | undefined;
  readonly bytes: number;
  readonly at: number;
  in: number;
}

interface Room {
  readonly name: string;
  readonly entries: Ring<RoomEntry & { readonly kept: Kept }>;
  last: Position;
}

/** The newest events of each room, and the idempotency keys. Both expire. */
export class MemoryHistory {
  readonly keys: IdempotencyKeys;
  private rooms = new Map<string, Room>();
  /** All kept events, oldest first, and some that no room keeps any more; see `dropLoose()`. */
  private kept = new Ring<Kept>();
  private keptCount = 0;
  /** Counts events, their entries in rooms, and the rooms. */
  private keptBytes = 0;
  /** The highest last position of the removed rooms. It counts as that of every unknown room. */
  private forgotten: Position = 0;
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;

  constructor(
    private readonly limits: Required<HistoryOptions>,
    private readonly clock: () => number,
    /** The room keeps no event any more. */
    private readonly onForget: (room: string) => void,
  ) {
    this.keys = new IdempotencyKeys(limits.maxBytes);
  }

  /** The memory in use, as counted against `maxBytes`. */
  get bytes(): number {
    return this.keptBytes + this.keys.bytes;
  }

  close(): void {
    this.rooms = new Map();
    this.kept = new Ring();
    this.keptCount = 0;
    this.keptBytes = 0;
    this.keys.clear();
    clearTimeout(this.timer);
  }

  view(name: string, after: Position): RoomView {
    const room = this.rooms.get(name);
    if (room === undefined) return { last: this.forgotten, length: 0, at: () => undefined };
    const { last, entries } = room;
    const from = entries.firstIndex(({ event }) => event.position > after);
    return { last, length: entries.length - from, at: (index) => entries.at(from + index) };
  }

  /** The position of the room's newest event, or the highest that it can have had. */
  lastOf(name: string): { position: Position; isKept: boolean } {
    const room = this.rooms.get(name);
    const isKept = room !== undefined && room.entries.length > 0;
    return { position: room?.last ?? this.forgotten, isKept };
  }

  /** The log's copy of the name: all events of a room share it. */
  nameOf(room: string): string {
    return this.roomOf(room).name;
  }

  private roomOf(name: string): Room {
    const known = this.rooms.get(name);
    if (known !== undefined) return known;
    const room = { name: ownText(name), entries: new Ring<never>(), last: this.forgotten };
    this.rooms.set(room.name, room);
    this.keptBytes += bytesOfRoom(room);
    return room;
  }

  keep(event: KeptEvent, textBytes: number, now: number): void {
    const rooms = event.rooms.map((name) => this.roomOf(name));
    const bytes = EVENT_BYTES + textBytes;
    const kept: Kept = { event, bytes, at: now, in: rooms.length };
    this.kept.push(kept);
    this.keptCount++;
    this.keptBytes += bytes + rooms.length * ENTRY_BYTES;
    for (const room of rooms) {
      room.entries.push({ event, previous: room.last, kept });
      room.last = event.position;
      if (room.entries.length > this.limits.maxEvents) this.trim(room);
    }
    this.expire(now);
    this.expireLater(now);
  }

  /** Removes events that are too old, then the oldest ones while the total is above `maxBytes`. */
  expire(now = this.clock()): void {
    const tooOld = now - this.limits.maxAgeMs;
    for (let oldest = this.kept.at(0); oldest !== undefined; oldest = this.kept.at(0)) {
      const { event } = oldest;
      if (event !== undefined) {
        if (oldest.at > tooOld && this.bytes <= this.limits.maxBytes) break;
        this.release(event);
      }
      this.kept.shift();
    }
    // A busy room removes its events long before they are the oldest of the log.
    if (this.kept.length > 2 * this.keptCount + 64) this.dropLoose();
  }

  private release(event: KeptEvent): void {
    for (const name of event.rooms) {
      const room = this.rooms.get(name);
      // The oldest event of the log is also the oldest of each room that still keeps it.
      if (room?.entries.at(0)?.event === event) this.trim(room);
    }
  }

  /** Removes the oldest event of a room, and the room once it is empty. */
  private trim(room: Room): void {
    const kept = room.entries.shift()?.kept;
    this.keptBytes -= ENTRY_BYTES;
    if (kept !== undefined && --kept.in === 0) {
      this.keptCount--;
      this.keptBytes -= kept.bytes;
      kept.event = undefined;
    }
    if (room.entries.length > 0) return;
    this.rooms.delete(room.name);
    this.keptBytes -= bytesOfRoom(room);
    this.forgotten = Math.max(this.forgotten, room.last);
    this.onForget(room.name);
  }

  private dropLoose(): void {
    const all = this.kept;
    this.kept = new Ring();
    for (let item = all.shift(); item !== undefined; item = all.shift()) {
      if (item.in > 0) this.kept.push(item);
    }
  }

  /** Also frees memory when nothing is published any more. One timer serves the whole log. */
  expireLater(now: number): void {
    const { maxAgeMs } = this.limits;
    const due = Math.min((this.kept.at(0)?.at ?? Infinity) + maxAgeMs, this.keys.dueAt);
    if (due === Infinity) return;
    // Expires events in batches of a tenth of `maxAgeMs`, not one timer per event.
    const at = Math.max(due, now + Math.min(maxAgeMs, KEY_LIFETIME_MS) / 10);
    if (this.timerAt <= at) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(this.onTimer, Math.min(at - now, MAX_TIMER_MS));
    this.timer.unref();
  }

  private readonly onTimer = (): void => {
    this.timerAt = Infinity;
    const now = this.clock();
    this.keys.expire(now);
    this.expire(now);
    this.expireLater(now);
  };
}

function bytesOfRoom({ name }: Room): number {
  return ROOM_BYTES + sizeOfText(name);
}
