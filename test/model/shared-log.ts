import type { LoggedEvent } from '../../lib/log/event.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import type {
  Appended,
  EventLog,
  Head,
  LogFollower,
  NewEvent,
  RoomsRange,
  RoomsRead,
} from '../../lib/log/event-log.js';
import type { ModelLog, ProcessLog } from './model.js';
import type { Schedule } from './schedule.js';

const FOLLOWER: LogFollower = { event() {}, rooms: () => [], lost() {}, caughtUp() {} };
const ROOMY = { maxAgeMs: 300_000, maxBytes: 67_108_864 };

/**
 * One real log that several processes share: calls take as long as the schedule wants, before and
 * after the log is asked; what it hands on arrives late, but in order. On a fail-over it loses its
 * last writes.
 */
export class SharedLog implements ModelLog {
  private nowMs = 1_000;
  private log: MemoryEventLog;
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

  async append(event: NewEvent): Promise<Appended> {
    this.appended.push({ event, atMs: this.nowMs });
    return this.log.append(event);
  }

  /** The highest position so far. */
  position = 0;

  failOver(count: number): void {
    const kept = this.appended.slice(0, Math.max(0, this.appended.length - count));
    const { nowMs } = this;
    this.followers.clear();
    this.appended = kept;
    this.nowMs = 1_000;
    this.log = this.makeLog();
    for (const { event, atMs } of kept) {
      this.nowMs = atMs;
      void this.log.append(event);
    }
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
  async close(): Promise<void> {}

  get now(): EventLog {
    return this.log;
  }

  private makeLog(): MemoryEventLog {
    const log = new MemoryEventLog(
      { ...ROOMY, maxEvents: this.maxEvents },
      { wallClock: () => this.nowMs, clock: () => this.nowMs, epoch: 'model' },
    );
    void log.follow({
      ...FOLLOWER,
      event: (event) => {
        this.position = event.position ?? this.position;
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
