import { nextPosition, type Position } from '../wire/cursor.js';
import { SseClosedError } from '../ground/errors.js';
import type { RoomEntries } from './entries.js';
import { MemoryEntries } from './entries-memory.js';
import { LeanEvent } from './lean-event.js';
import { newEpoch } from './epoch.js';
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
import { MemoryHistory } from './history-memory.js';
import type { HistoryOptions } from './history.options.js';
import { asKept, memoryOf } from './large-event.js';
import { bytesBeside } from './published-message.js';
import { fitting } from './room-range.js';
import { STATE_DEFAULTS, type StateOptions } from './state.options.js';

interface MemoryLogOptions {
  /** Time of day in milliseconds, for positions. */
  wallClock?: () => number;
  /** Monotonic time in milliseconds, for ages. Setting the system clock must not expire events. */
  clock?: () => number;
  epoch?: string;
  state?: Required<StateOptions>;
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
  private readonly history: MemoryHistory;
  private readonly state: MemoryEntries;

  constructor(
    history: Required<HistoryOptions>,
    {
      wallClock = Date.now,
      clock = monotonic,
      epoch = newEpoch(),
      state = STATE_DEFAULTS,
    }: MemoryLogOptions = {},
  ) {
    this.wallClock = wallClock;
    this.clock = clock;
    this.epoch = epoch;
    this.begin = this.position = nextPosition(0, wallClock());
    this.history = new MemoryHistory(history, clock, (room) => this.state.forget(room));
    this.state = new MemoryEntries(state, clock, (event) => this.add(event, this.clock()));
  }

  /** The memory in use, as counted against `maxBytes` of the history. */
  get bytes(): number {
    return this.history.bytes;
  }

  async append(event: NewEvent): Promise<Appended> {
    this.refuseIfClosed();
    const { epoch } = this;
    const { key, entry } = event;
    const now = this.clock();
    const known = key === undefined ? undefined : this.history.keys.find(key, now);
    if (known !== undefined) return { epoch, position: known.position };
    if (entry !== undefined && !this.state.admits(event, entry)) {
      return { epoch, position: undefined };
    }
    return this.add(event, now);
  }

  private add({ key, ephemeral, entry, ...event }: NewEvent, now: number): Appended {
    const { epoch, history } = this;
    const position = ephemeral ? undefined : nextPosition(this.position, this.wallClock());
    if (key !== undefined) {
      history.keys.add(key, position, now);
      history.expireLater(now);
    }
    if (position === undefined) {
      this.follower?.event({ epoch, position, ...event });
      return { epoch, position };
    }
    this.position = position;
    const rooms = event.rooms.map((name) => history.nameOf(name));
    const logged = { epoch, position, ...event, rooms };
    const kept = (entry && LeanEvent.of(logged)) ?? asKept(logged);
    const textBytes = memoryOf(kept) + bytesBeside(event.message, event.body);
    if (entry !== undefined) this.state.change(entry, kept, history.lastOf(rooms[0] ?? ''));
    else for (const room of rooms) this.state.addPlain(room, position);
    history.keep(kept, textBytes, now);
    this.follower?.event(logged);
    return { epoch, position };
  }

  async head(): Promise<Head> {
    return this.headNow();
  }

  private headNow(): Head {
    this.refuseIfClosed();
    const { epoch, position, begin, state } = this;
    return { epoch, position, begin, entries: state.count };
  }

  async read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    this.refuseIfClosed();
    this.history.expire();
    const views = rooms.map((room) => this.history.view(room, range.after));
    return { epoch: this.epoch, rooms: fitting(views, range) };
  }

  async entries(room: string): Promise<RoomEntries | undefined> {
    this.refuseIfClosed();
    const read = this.state.read(room);
    return read && { epoch: this.epoch, position: this.position, ...read };
  }

  async entry(room: string, key: string): Promise<RoomEntry['event'] | undefined> {
    this.refuseIfClosed();
    return this.state.entry(room, key);
  }

  async follow(follower: LogFollower): Promise<Head> {
    this.refuseIfClosed();
    this.follower = follower;
    return this.headNow();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.follower = undefined;
    this.history.close();
    this.state.close();
  }

  private refuseIfClosed(): void {
    if (this.isClosed) throw new SseClosedError('the hub');
  }
}

const monotonic = (): number => performance.now();
