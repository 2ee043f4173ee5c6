import { nextPosition, type Position } from './cursor.js';
import { SseClosedError } from './errors.js';
import type {
  Appended,
  EventLog,
  Head,
  HistoryOptions,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
} from './event-log.js';
import { Ring } from './ring.js';
import { fitting, type RoomView } from './room-range.js';

/** How long a key keeps a second event with it out. */
const KEY_LIFETIME_MS = 300_000;

/** An event that some rooms still keep. */
interface Kept {
  readonly event: RoomEntry['event'];
  readonly bytes: number;
  readonly at: number;
  /** In how many rooms. */
  in: number;
}

interface Room {
  readonly entries: Ring<RoomEntry & { readonly kept: Kept }>;
  last: Position;
}

/** The log of one process: `append` hands the event to the follower before it returns. */
export class MemoryEventLog implements EventLog {
  private readonly clock: () => number;
  private readonly epoch: string;
  private readonly begin: Position;
  private position: Position;
  private follower: LogFollower | undefined;
  private isClosed = false;

  private readonly rooms = new Map<string, Room>();
  /** All events that a room keeps, oldest first; also some that no room keeps any more. */
  private kept = new Ring<Kept>();
  private keptCount = 0;
  private keptBytes = 0;
  /** The highest last position of the rooms that were forgotten. */
  private forgotten: Position = 0;
  private readonly keys = new Map<string, { readonly appended: Appended; readonly at: number }>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly history: Required<HistoryOptions>,
    { clock = Date.now, epoch = randomEpoch() }: { clock?: () => number; epoch?: string } = {},
  ) {
    this.clock = clock;
    this.epoch = epoch;
    this.begin = this.position = nextPosition(0, clock());
  }

  async append({ key, ephemeral, ...event }: NewEvent): Promise<Appended> {
    this.refuseIfClosed();
    const { epoch } = this;
    const now = this.clock();
    const known = key === undefined ? undefined : this.keys.get(key);
    if (known !== undefined && now - known.at < KEY_LIFETIME_MS) return known.appended;

    const position = ephemeral ? undefined : nextPosition(this.position, now);
    if (key !== undefined) this.rememberKey(key, { epoch, position }, now);
    if (position === undefined) {
      this.follower?.event({ epoch, position, ...event });
      return { epoch, position };
    }
    this.position = position;
    const logged = { epoch, position, ...event };
    this.keep(logged, now);
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
    this.rooms.clear();
    this.kept = new Ring();
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

  private keep(event: RoomEntry['event'], now: number): void {
    const { beforeId, afterId } = event.parts;
    const bytes = Buffer.byteLength(beforeId) + Buffer.byteLength(afterId);
    const kept: Kept = { event, bytes, at: now, in: event.rooms.length };
    this.kept.push(kept);
    this.keptCount++;
    this.keptBytes += bytes;
    for (const name of event.rooms) {
      let room = this.rooms.get(name);
      if (room === undefined) {
        room = { entries: new Ring(), last: this.forgotten };
        this.rooms.set(name, room);
      }
      room.entries.push({ event, previous: room.last, kept });
      room.last = event.position;
      if (room.entries.length > this.history.maxEvents) this.trim(name, room);
    }
    this.expire(now);
    this.expireLater(now);
  }

  /** Lets go of what is too old, and of the oldest while all is too large. */
  private expire(now = this.clock()): void {
    const tooOld = now - this.history.maxAgeMs;
    for (let oldest = this.kept.at(0); oldest !== undefined; oldest = this.kept.at(0)) {
      const isLoose = oldest.in === 0;
      if (!isLoose && oldest.at > tooOld && this.keptBytes <= this.history.maxBytes) break;
      if (!isLoose) this.release(oldest);
      this.kept.shift();
    }
    // A busy room lets go of its events long before they are the oldest of all.
    if (this.kept.length > 2 * this.keptCount + 64) this.dropLoose();
  }

  private release({ event }: Kept): void {
    for (const name of event.rooms) {
      const room = this.rooms.get(name);
      // An event that a room keeps and that is the oldest of all is the room's oldest.
      if (room?.entries.at(0)?.event === event) this.trim(name, room);
    }
  }

  /** Takes the oldest event out of a room, and a room without events out of the log. */
  private trim(name: string, room: Room): void {
    const entry = room.entries.shift();
    if (entry !== undefined && --entry.kept.in === 0) {
      this.keptCount--;
      this.keptBytes -= entry.kept.bytes;
    }
    if (room.entries.length > 0) return;
    this.rooms.delete(name);
    this.forgotten = Math.max(this.forgotten, room.last);
  }

  private dropLoose(): void {
    const all = this.kept;
    this.kept = new Ring();
    for (let item = all.shift(); item !== undefined; item = all.shift()) {
      if (item.in > 0) this.kept.push(item);
    }
  }

  /** One timer, so that history goes also when nothing is published any more. */
  private expireLater(now = this.clock()): void {
    if (this.timer !== undefined || (this.kept.length === 0 && this.keys.size === 0)) return;
    const { maxAgeMs } = this.history;
    // Not for each event when it is due, but for all of a tenth of the time together; and never for longer than they
    // are kept, should the clock have gone back.
    const due =
      this.kept.length === 0 ? KEY_LIFETIME_MS : (this.kept.at(0)?.at ?? now) + maxAgeMs - now;
    const longest = this.kept.length === 0 ? KEY_LIFETIME_MS : maxAgeMs;
    this.timer = setTimeout(this.onTimer, Math.min(Math.max(due, maxAgeMs / 10), longest));
    this.timer.unref();
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.expire();
    this.forgetKeys(this.clock());
    this.expireLater();
  };

  private rememberKey(key: string, appended: Appended, now: number): void {
    this.forgetKeys(now);
    this.keys.delete(key);
    this.keys.set(key, { appended, at: now });
    this.expireLater(now);
  }

  /** The map is in the order in which the keys came. */
  private forgetKeys(now: number): void {
    for (const [key, { at }] of this.keys) {
      if (now - at < KEY_LIFETIME_MS) return;
      this.keys.delete(key);
    }
  }
}

/** 48 random bits: two lifetimes of a log never share a name. */
function randomEpoch(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('base64url');
}
