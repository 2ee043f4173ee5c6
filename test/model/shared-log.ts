import type { LoggedEvent } from '../../lib/log/event.js';
import type { RoomEntries } from '../../lib/log/entries.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import type {
  Appended,
  EventLog,
  Head,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomsRead,
} from '../../lib/log/event-log.js';
import type { ModelLog, ProcessLog } from './model.js';
import { unconditional } from './presence-world.js';
import type { Schedule } from './schedule.js';

const FOLLOWER: LogFollower = { event() {}, rooms: () => [], lost() {}, caughtUp() {} };
const ROOMY = { maxAgeMs: 300_000, maxBytes: 67_108_864 };

/**
 * One real log that several processes share: calls take as long as the schedule wants, before and
 * after the log is asked; what it hands on arrives late, but in order. On a fail-over it loses its
 * last writes.
 */
export class SharedLog implements ModelLog {
  nowMs = 1_000;
  epoch = 'model';
  private log: MemoryEventLog;
  private isReplaying = false;
  private appended: { event: NewEvent; atMs: number }[] = [];
  private readonly followers = new Set<(event: LoggedEvent) => void>();

  constructor(
    readonly schedule: Schedule,
    private readonly maxEvents: number,
  ) {
    this.log = this.makeLog();
  }

  pass(microseconds: number): void {
    this.nowMs += microseconds / 1_000;
  }

  append(event: NewEvent): Promise<Appended> {
    const record = { event: unconditional(event), atMs: this.nowMs };
    const appended = this.log.append(event);
    this.appended.push(record);
    // It was refused.
    appended.catch(() => (this.appended = this.appended.filter((other) => other !== record)));
    return appended;
  }

  /** The highest position so far. */
  position = 0;

  /** @param epoch of the log that has lost them, as it would notice */
  failOver(count: number, epoch = this.epoch): void {
    this.epoch = epoch;
    const kept = this.appended.slice(0, Math.max(0, this.appended.length - count));
    const { nowMs } = this;
    this.followers.clear();
    this.appended = kept;
    this.nowMs = 1_000;
    // Its timers must not go on.
    void this.log.close();
    this.isReplaying = true;
    this.log = this.makeLog();
    for (const { event, atMs } of kept) {
      this.nowMs = atMs;
      void this.log.append(event);
    }
    this.isReplaying = false;
    this.nowMs = nowMs;
  }

  connect(): ProcessLog {
    return new SlowLog(this);
  }

  follow(listener: (event: LoggedEvent) => void): Promise<Head> {
    this.followers.add(listener);
    return this.log.head();
  }

  disturb(what: string): Promise<void> {
    return Promise.reject(new Error(`nothing to ${what} in one process`));
  }
  async settled(): Promise<void> {}
  /** Its timers would keep all of the run in memory, and a long series of runs would slow down. */
  close(): Promise<void> {
    return this.log.close();
  }

  /** A deletion that was appended is noted once more, and is then one of nothing. */
  private noteEnd({ rooms, message, body }: LoggedEvent): void {
    const { key } = message.data as { key: string };
    const event = { rooms, message, body, entry: { key, kind: 'delete' as const } };
    this.appended.push({ event, atMs: this.nowMs });
  }

  /** Whether the event with this data is among those that were not lost. */
  has(data: unknown): boolean {
    return this.appended.some(({ event }) => event.message.data === data);
  }

  /** When the entry with this value ends. */
  dueMsOf(value: unknown): number {
    const isIt = ({ event: { message } }: { event: NewEvent }): boolean =>
      (message.data as { value?: unknown } | undefined)?.value === value;
    const set = this.appended.filter(isIt).at(-1);
    return (set?.atMs ?? 0) + (set?.event.entry?.ttl?.ms ?? Infinity);
  }

  entries(room: string): Promise<RoomEntries | undefined> {
    return this.log.entries(room);
  }

  entry(room: string, key: string): Promise<RoomEntry['event'] | undefined> {
    return this.log.entry(room, key);
  }

  head(): Promise<Head> {
    return this.log.head();
  }

  get now(): EventLog {
    return this.log;
  }

  private makeLog(): MemoryEventLog {
    const log = new MemoryEventLog(
      { ...ROOMY, maxEvents: this.maxEvents },
      { wallClock: () => this.nowMs, clock: () => this.nowMs, epoch: this.epoch },
    );
    void log.follow({
      ...FOLLOWER,
      event: (event) => {
        this.position = event.position ?? this.position;
        // An entry has ended by itself, also before what is appended now.
        if (event.message.type === 'sse-delete' && !this.isReplaying) this.noteEnd(event);
        for (const listener of this.followers) listener(event);
      },
    });
    return log;
  }
}

class SlowLog implements ProcessLog {
  private readonly arriving: LoggedEvent[] = [];
  private listener: ((event: LoggedEvent) => void) | undefined;

  constructor(private readonly shared: SharedLog) {}

  append(event: NewEvent): Promise<Appended> {
    return this.slowly(() => this.shared.append(event));
  }
  head(): Promise<Head> {
    return this.slowly(() => this.shared.now.head());
  }
  read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead> {
    return this.slowly(() => this.shared.now.read(rooms, range));
  }
  entries(room: string): Promise<RoomEntries | undefined> {
    return this.slowly(() => this.shared.now.entries(room));
  }
  entry(room: string, key: string): Promise<RoomEntry['event'] | undefined> {
    return this.slowly(() => this.shared.now.entry(room, key));
  }
  follow(follower: LogFollower): Promise<Head> {
    this.listener = (event) => follower.event(event);
    return this.shared.follow((event) => this.arriving.push(event));
  }
  async close(): Promise<void> {
    this.listener = undefined;
  }

  /** For a mutant: what a process cannot know without asking. */
  get fresh(): number {
    return this.shared.position;
  }

  arrive(): boolean {
    const event = this.arriving.shift();
    if (event !== undefined) this.listener?.(event);
    return event !== undefined;
  }

  private async slowly<T>(call: () => Promise<T>): Promise<T> {
    await this.shared.schedule.pause();
    const result = await call();
    await this.shared.schedule.pause();
    return result;
  }
}
