import { fakeConnection } from 'nestjs-eventstream/testing';
import { SseError, type PresenceChange, type RoomMember, type SseEvent } from 'nestjs-eventstream';
import type { Observable, Subscription } from 'rxjs';
import type { Time } from '../../lib/ground/time.js';
import { Hub } from '../../lib/hub/hub.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import type { Appended, EventLog, Head, LogFollower, NewEvent } from '../../lib/log/event-log.js';
import { STATE_DEFAULTS, type StateOptions } from '../../lib/log/state.options.js';
import { Schedule } from './schedule.js';

const ROSTER = 'sse:presence:';
const ROOMY = { maxAgeMs: 600_000, maxBytes: 67_108_864, maxEvents: 200 };

interface Timer {
  readonly at: number;
  readonly number: number;
  /** `undefined` for what happens outside of all processes, such as in the log. */
  readonly process: Process | undefined;
  readonly call: () => void;
}

/** Processes on one log, in a time of their own: it moves from one timer to the next. */
export class World {
  nowMs = 1_000;
  /** Calls fail this often: half of them have been made. */
  failures = 0;
  readonly schedule: Schedule;
  log: MemoryEventLog;
  readonly processes: Process[] = [];
  /** What was written to rosters, in order: the members and where they are. */
  readonly written: { readonly key: string; readonly on: readonly string[] | undefined }[] = [];
  /** The joins and leaves that the log has, and whose call made each. */
  readonly applied: { readonly by: Process | undefined; readonly what: string }[] = [];
  /** What the rosters hold, by `<room> <id>`. */
  readonly present = new Set<string>();
  private timers: Timer[] = [];
  private lastNumber = 0;
  private caller: Process | undefined;
  private writes: {
    readonly event: NewEvent;
    readonly atMs: number;
    readonly epoch: string;
  }[] = [];
  private epochs = 0;
  private epoch = 'presence';

  constructor(
    seed: number,
    private readonly state: StateOptions = {},
    private readonly maxEvents = ROOMY.maxEvents,
  ) {
    this.schedule = new Schedule(seed);
    this.log = this.makeLog('presence');
  }

  private makeLog(epoch: string): MemoryEventLog {
    return new MemoryEventLog(
      { ...ROOMY, maxEvents: this.maxEvents },
      {
        clock: () => this.nowMs,
        wallClock: () => this.nowMs,
        epoch,
        state: { ...STATE_DEFAULTS, ...this.state },
      },
    );
  }

  async begin(): Promise<void> {
    const nobody: LogFollower = { event() {}, rooms: () => [], lost() {}, caughtUp() {} };
    await this.log.follow({ ...nobody, event: (event) => this.appended(event) });
  }

  /** The log loses the writes of the last while, and begins a new epoch. */
  async failOver(ms: number): Promise<void> {
    const { nowMs } = this;
    const kept = this.writes.filter(({ atMs }) => atMs <= nowMs - ms);
    void this.log.close();
    this.nowMs = 1_000;
    this.log = this.makeLog('');
    this.writes = [];
    for (const { event, atMs, epoch } of kept) {
      this.nowMs = atMs;
      // What a store keeps is of the epoch in which it was written.
      this.epoch = epoch;
      Object.assign(this.log, { epoch });
      await this.append(event).catch(() => {});
    }
    this.nowMs = nowMs;
    this.epoch = `epoch${++this.epochs}`;
    Object.assign(this.log, { epoch: this.epoch });
    await this.begin();
    const head = await this.log.head();
    for (const process of this.processes) process.restarting(head);
  }

  /** Appends to the log, and keeps what was appended for a fail-over. */
  append(event: NewEvent): Promise<Appended> {
    const write = { event: unconditional(event), atMs: this.nowMs, epoch: this.epoch };
    const appended = this.log.append(event);
    this.writes.push(write);
    // It was refused.
    appended.catch(() => (this.writes = this.writes.filter((other) => other !== write)));
    return appended;
  }

  async start(): Promise<Process> {
    const process = new Process(this);
    this.processes.push(process);
    await process.hub.start();
    return process;
  }

  async close(): Promise<void> {
    const closing = this.alive.map(({ hub }) => hub.close());
    await this.pass(10_000);
    await Promise.all(closing);
    await this.log.close();
  }

  get alive(): Process[] {
    return this.processes.filter(({ state }) => state !== 'dead');
  }

  after(ms: number, call: () => void, process?: Process): () => void {
    const timer = { at: this.nowMs + ms, number: this.lastNumber++, process, call };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
      process?.late.delete(timer);
    };
  }

  /** Does everything that happens in this time. The log looks each second for what has ended. */
  async pass(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      const until = Math.min(end, this.nowMs + 1_000);
      for (let next = this.takeNext(until); next !== undefined; next = this.takeNext(until)) {
        this.moveTo(next.at);
        if (next.process === undefined || next.process.state === 'running') next.call();
        else if (next.process.state === 'paused') next.process.late.add(next);
        await settled();
      }
      this.moveTo(until);
      await settled();
    }
  }

  /** A call of a process to the log takes up to 1.8 s, most of them far less. */
  call<T>(process: Process, make: () => Promise<T>): Promise<T> {
    const { schedule } = this;
    const longMs = schedule.below(20) === 0 ? 900 : 30;
    const fails = schedule.random() < this.failures;
    const isMade = !fails || schedule.below(2) === 0;
    return new Promise((resolve, reject) => {
      const answer = (give: () => void): void => {
        this.after(schedule.below(longMs), give, process);
      };
      const failed = (): void => reject(new SseError('SSE_LOG_UNAVAILABLE', 'away'));
      this.after(schedule.below(longMs), () => {
        if (!isMade) return answer(failed);
        this.caller = process;
        const made = make();
        this.caller = undefined;
        made.then(
          (value) => answer(fails ? failed : () => resolve(value)),
          (error: Error) => answer(() => reject(error)),
        );
      });
    });
  }

  private takeNext(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.at > end) continue;
      if (next === undefined || timer.at < next.at) next = timer;
    }
    if (next !== undefined) this.timers.splice(this.timers.indexOf(next), 1);
    return next;
  }

  private moveTo(ms: number): void {
    this.nowMs = ms;
    // The log ends what is due before it does anything else.
    void this.log.entry('nobody', 'asks');
  }

  private appended(event: LoggedEvent): void {
    this.note(event);
    for (const process of this.processes) process.arriving(event);
  }

  private note({ rooms: [room = ''], message }: LoggedEvent): void {
    if (!room.startsWith(ROSTER)) return;
    const key = `${room.slice(ROSTER.length)} ${(message.data as { key: string }).key}`;
    const { value } = message.data as { value?: { on: string[] } };
    this.written.push({ key, on: value?.on });
    if (message.type === 'sse-set') {
      if (this.present.has(key)) return;
      this.present.add(key);
    } else if (!this.present.delete(key)) throw new Error(`${key} left, but was not there`);
    const kind = message.type === 'sse-set' ? 'join' : 'leave';
    this.applied.push({ by: this.caller, what: `${kind} ${key}` });
  }
}

/** A client that comes back when its stream fails, as it does where the log is away. */
class Client {
  private subscription: Subscription | undefined;
  private isGone = false;

  constructor(
    readonly key: string,
    private readonly open: () => Observable<SseEvent>,
    private readonly later: (call: () => void) => void,
    private readonly take: (event: SseEvent) => void = () => {},
  ) {
    this.subscribe();
  }

  leave(): void {
    this.isGone = true;
    this.subscription?.unsubscribe();
  }

  private subscribe(): void {
    if (this.isGone) return;
    this.subscription = this.open().subscribe({
      next: (event) => this.take(event),
      error: () => this.later(() => this.subscribe()),
    });
  }
}

/** What one watcher has, replayed from its events as a client does it. */
class Watcher {
  readonly members = new Map<string, unknown>();

  take({ type, data }: SseEvent): void {
    const { key, value } = data as { key: string; value: unknown };
    if (type === 'sse-state') this.members.clear();
    else if (type === 'sse-set') this.members.set(key, value);
    else if (type === 'sse-delete') this.members.delete(key);
    else throw new Error(`a watcher got ${type}`);
  }
}

export class Process {
  state: 'running' | 'paused' | 'dead' = 'running';
  readonly hub: Hub;
  /** Timers that were due while the process was paused. */
  readonly late = new Set<Timer>();
  readonly emitted: string[] = [];
  readonly watchers = new Map<string, Watcher>();
  /** The connections of members. */
  readonly connections: Client[] = [];
  private readonly clients: Client[] = [];
  private readonly arrivals: (LoggedEvent | Head)[] = [];
  private arrivedAt = 0;
  private follower: LogFollower | undefined;

  readonly time: Time;

  constructor(private readonly world: World) {
    const time: Time = {
      now: () => world.nowMs,
      after: (ms, call) => world.after(ms, call, this),
      random: () => world.schedule.random(),
    };
    this.time = time;
    this.hub = new Hub(this.slowLog(), {}, '', {}, false, time);
  }

  listen(): void {
    this.hub.presence$.subscribe(({ kind, room, member }: PresenceChange) =>
      this.emitted.push(`${kind} ${room} ${member.id}`),
    );
  }

  watch(room: string): void {
    if (this.watchers.has(room)) return;
    const watcher = new Watcher();
    this.watchers.set(room, watcher);
    const open = (): Observable<SseEvent> => {
      watcher.members.clear();
      return this.hub.stream(room, { presence: { watch: true }, connection: false });
    };
    this.clients.push(new Client(room, open, this.later, (event) => watcher.take(event)));
  }

  connect(room: string, id: string, graceMs: number, name = id): void {
    const presence = { member: () => ({ id, data: { name } }), graceMs };
    const open = (): Observable<SseEvent> =>
      this.hub.stream(room, { presence, connection: fakeConnection() });
    this.connections.push(new Client(`${room} ${id}`, open, this.later));
  }

  private readonly later = (call: () => void): void => {
    this.world.after(500, call, this);
  };

  disconnect(index: number): void {
    const [gone] = this.connections.splice(index, 1);
    gone?.leave();
  }

  pause(): void {
    this.state = 'paused';
  }

  async resume(): Promise<void> {
    this.state = 'running';
    for (const timer of [...this.late].sort((a, b) => a.at - b.at || a.number - b.number)) {
      // An earlier one may have cancelled it.
      if (!this.late.delete(timer)) continue;
      timer.call();
      await settled();
    }
  }

  async close(): Promise<void> {
    const closed = this.hub.close();
    await this.world.pass(3_000);
    await closed;
    this.die();
  }

  /** It vanishes without a goodbye. What it has sent still arrives. */
  die(): void {
    this.state = 'dead';
    this.connections.length = 0;
  }

  async members(room: string): Promise<RoomMember[]> {
    const members = this.hub.members(room);
    await this.world.pass(4_000);
    return members;
  }

  /** The log has a new epoch, which the process learns after what it has sent before. */
  restarting(head: Head): void {
    this.arriving(head);
  }

  arriving(event: LoggedEvent | Head): void {
    const { world } = this;
    if (this.follower === undefined || this.state === 'dead') return;
    this.arrivals.push(event);
    this.arrivedAt = Math.max(this.arrivedAt, world.nowMs + world.schedule.below(50));
    world.after(
      this.arrivedAt - world.nowMs,
      () => {
        const next = this.arrivals.shift();
        if (next === undefined) return;
        if ('message' in next) this.follower?.event(next);
        else this.follower?.caughtUp(next);
      },
      this,
    );
  }

  private slowLog(): EventLog {
    const { world } = this;
    return {
      append: (event) => world.call(this, () => world.append(event)),
      head: () => world.call(this, () => world.log.head()),
      read: (rooms, range) => world.call(this, () => world.log.read(rooms, range)),
      entries: (room) => world.call(this, () => world.log.entries(room)),
      entry: (room, key) => world.call(this, () => world.log.entry(room, key)),
      follow: (follower) => {
        this.follower = follower;
        return world.log.head();
      },
      close: async () => {},
    };
  }
}

/** Everything that promises do before the next timer. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As it is replayed: its condition held. */
export function unconditional(event: NewEvent): NewEvent {
  const { entry } = event;
  if (entry === undefined) return event;
  const { condition: _held, ...rest } = entry;
  return { ...event, entry: rest };
}
