import { nextPosition, type Position } from '../wire/cursor.js';
import { SseClosedError } from '../ground/errors.js';
import { MAX_TIMER_MS } from '../ground/timers.js';
import type {
  Appended,
  EventLog,
  Head,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
} from './event-log.js';
import type { HistoryOptions } from './history.options.js';
import { ENTRY_BYTES, EVENT_BYTES, ownText, ROOM_BYTES, sizeOfText } from './heap-size.js';
import { newEpoch } from './epoch.js';
import { IdempotencyKeys, KEY_LIFETIME_MS } from './idempotency-keys.js';
import { asKept, memoryOf } from './large-event.js';
import { bytesBeside } from './published-message.js';
import { Ring } from './ring.js';
import { fitting, type RoomView } from './room-range.js';

/** An event, and the number of rooms that still keep it (`in`). */
interface Kept {
  /** `undefined` once no room keeps it. */
  event: RoomEntry['event'] | undefined;
  readonly bytes: number;
  readonly at: number;
  in: number;
}

interface Room {
  readonly name: string;
  readonly entries: Ring<RoomEntry & { readonly kept: Kept }>;
  last: Position;
}

interface MemoryLogOptions {
  /** Time of day in milliseconds, for positions. */
  wallClock?: () => number;
  /** Monotonic time in milliseconds, for ages. Setting the system clock must not expire events. */
  clock?: () => number;
  epoch?: string;
}

/** The log of one process. `append` hands the event to the follower before it returns. */
export class MemoryEventLog implements EventLog {
  private readonly wallClock: () => number;
  private readonly clock: () => number;
  private readonly epoch: string;
  private readonly begin: Position;
  private position: Position;
  private follower: LogFollower | undefined;
  private isClosed = false;

  private rooms = new Map<string, Room>();
  /** All kept events, oldest first, and some that no room keeps any more; see `dropLoose()`. */
  private kept = new Ring<Kept>();
  private keptCount = 0;
  /** Counts events, their entries in rooms, and the rooms. */
  private keptBytes = 0;
  /** The highest last position of the removed rooms. It counts as that of every unknown room. */
  private forgotten: Position = 0;
  private readonly keys: IdempotencyKeys;
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;

  constructor(
    private readonly history: Required<HistoryOptions>,
    { wallClock = Date.now, clock = monotonic, epoch = newEpoch() }: MemoryLogOptions = {},
  ) {
    this.wallClock = wallClock;
    this.clock = clock;
    this.epoch = epoch;
    this.begin = this.position = nextPosition(0, wallClock());
    this.keys = new IdempotencyKeys(history.maxBytes);
  }

  /** The memory in use, as counted against `maxBytes`. */
  get bytes(): number {
    return this.keptBytes + this.keys.bytes;
  }

  async append({ key, ephemeral, ...event }: NewEvent): Promise<Appended> {
    this.refuseIfClosed();
    const { epoch } = this;
    const now = this.clock();
    const known = key === undefined ? undefined : this.keys.find(key, now);
    if (known !== undefined) return { epoch, position: known.position };

    const position = ephemeral ? undefined : nextPosition(this.position, this.wallClock());
    if (key !== undefined) {
      this.keys.add(key, position, now);
      this.expireLater(now);
    }
    if (position === undefined) {
      this.follower?.event({ epoch, position, ...event });
      return { epoch, position };
    }
    this.position = position;
    const rooms = event.rooms.map((name) => this.roomOf(name));
    // All events of a room share one copy of its name.
    const logged = { epoch, position, ...event, rooms: rooms.map(({ name }) => name) };
    const kept = asKept(logged);
    const textBytes = memoryOf(kept) + bytesBeside(event.message, event.body);
    this.keep(kept, textBytes, rooms, now);
    this.follower?.event(logged);
    return { epoch, position };
  }

  async head(): Promise<Head> {
    this.refuseIfClosed();
    const { epoch, position, begin } = this;
    return { epoch, position, begin };
  }

  async read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    this.refuseIfClosed();
    this.expire();
    const views = rooms.map((room) => this.viewOf(room, range.after));
    return { epoch: this.epoch, rooms: fitting(views, range) };
  }

  async follow(follower: LogFollower): Promise<Head> {
    this.refuseIfClosed();
    this.follower = follower;
    return { epoch: this.epoch, position: this.position };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.follower = undefined;
    this.rooms = new Map();
    this.kept = new Ring();
    this.keptCount = 0;
    this.keptBytes = 0;
    this.keys.clear();
    clearTimeout(this.timer);
  }

  private viewOf(name: string, after: Position): RoomView {
    const room = this.rooms.get(name);
    if (room === undefined) return { last: this.forgotten, length: 0, at: () => undefined };
    const { last, entries } = room;
    const from = entries.firstIndex(({ event }) => event.position > after);
    return { last, length: entries.length - from, at: (index) => entries.at(from + index) };
  }

  private refuseIfClosed(): void {
    if (this.isClosed) throw new SseClosedError('the hub');
  }

  private roomOf(name: string): Room {
    const known = this.rooms.get(name);
    if (known !== undefined) return known;
    const room = { name: ownText(name), entries: new Ring<never>(), last: this.forgotten };
    this.rooms.set(room.name, room);
    this.keptBytes += bytesOfRoom(room);
    return room;
  }

  private keep(
    event: RoomEntry['event'],
    textBytes: number,
    rooms: readonly Room[],
    now: number,
  ): void {
    const bytes = EVENT_BYTES + textBytes;
    const kept: Kept = { event, bytes, at: now, in: rooms.length };
    this.kept.push(kept);
    this.keptCount++;
    this.keptBytes += bytes + rooms.length * ENTRY_BYTES;
    for (const room of rooms) {
      room.entries.push({ event, previous: room.last, kept });
      room.last = event.position;
      if (room.entries.length > this.history.maxEvents) this.trim(room);
    }
    this.expire(now);
    this.expireLater(now);
  }

  /** Removes events that are too old, then the oldest ones while the total is above `maxBytes`. */
  private expire(now = this.clock()): void {
    const tooOld = now - this.history.maxAgeMs;
    for (let oldest = this.kept.at(0); oldest !== undefined; oldest = this.kept.at(0)) {
      const { event } = oldest;
      if (event !== undefined) {
        if (oldest.at > tooOld && this.bytes <= this.history.maxBytes) break;
        this.release(event);
      }
      this.kept.shift();
    }
    // A busy room removes its events long before they are the oldest of the log.
    if (this.kept.length > 2 * this.keptCount + 64) this.dropLoose();
  }

  private release(event: RoomEntry['event']): void {
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
  }

  private dropLoose(): void {
    const all = this.kept;
    this.kept = new Ring();
    for (let item = all.shift(); item !== undefined; item = all.shift()) {
      if (item.in > 0) this.kept.push(item);
    }
  }

  /** Also frees memory when nothing is published any more. One timer serves the whole log. */
  private expireLater(now: number): void {
    const { maxAgeMs } = this.history;
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

const monotonic = (): number => performance.now();
