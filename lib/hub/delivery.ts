import { HubEvent, type LoggedEvent } from '../log/event.js';
import type { Appended, EventLog, Gap, Head, LogFollower } from '../log/event-log.js';
import { Ring } from '../log/ring.js';
import type { EventSchemas } from '../schema/validate.js';
import type { Position } from '../wire/cursor.js';
import { SSE_SET } from '../wire/protocol.js';
import { CONTROL_ROOM, type ControlChannel } from './control-channel.js';
import { guarded, logError } from './guarded.js';
import { HeadWaiters } from './head-waiters.js';
import { PEER_ROOM, type PeerChannel } from './peer-channel.js';
import { Replays } from './replays.js';
import { RoomHooks } from './room-hooks.js';
import { Rooms } from './rooms.js';
import { Run } from './run.js';
import { StateReads } from './state-reads.js';

/** A subscription of some rooms, which gets their events. */
export interface Receiver {
  readonly rooms: readonly string[];
  deliver(event: HubEvent): void;
  /**
   * Enters a run before the event is added to it. Returns false for a receiver that needs
   * `deliver()`. Runs no code of the app.
   */
  enter(run: Run, event: HubEvent): boolean;
  /** Events of these rooms did not reach this process, and never will. */
  lost(gap: Gap): void;
  /** The log has a new epoch, so its positions cannot be compared with earlier ones. */
  restart(): void;
  /** Ends the client's connection, or only the stream if there is no connection. */
  close(reason: string | undefined): void;
  /** The hub has closed. */
  end(): void;
}

/** Reads a room for the library itself. No stream counts it. */
export interface RoomListener {
  event(event: LoggedEvent): void;
  /** Events did not reach this process, and never will. */
  lost(): void;
  /** The log has a new epoch, and may lack the newest changes. */
  restart(): void;
}

/**
 * Delivers the events of a hub's log to the subscriptions of their rooms: each event once per
 * subscription, in the order of the log. An error of one subscription does not affect the others.
 */
export class Delivery implements LogFollower {
  /** Every live receiver has got everything up to here. */
  head: Head = { epoch: '', position: 0 };

  /** The newest event whose publication has resolved. It may not be delivered yet. */
  private published: Appended | undefined;
  private readonly receivers = new Set<Receiver>();
  private readonly byRoom = new Rooms<Receiver>();
  private readonly listeners = new Map<string, RoomListener>();
  private hooks: RoomHooks | undefined;
  /** The rooms with events that some direct readers have not taken yet. */
  private readonly runs = new Map<string, Run>();
  private readonly undelivered = new Ring<LoggedEvent>();
  private isDelivering = false;
  /**
   * When many clients return at once, most missed the same few events and share them here. Held
   * weakly, so that no wire text stays in memory for clients that may never return.
   */
  private readonly replayed = new WeakMap<LoggedEvent, WeakRef<HubEvent>>();
  readonly replays = new Replays((event) => this.eventOf(event).frame);
  readonly states: StateReads;
  /** Whether any room has had entries. Until then no reader asks for a state. */
  hasState = false;
  usesState = false;
  /** Who waits until positions were delivered. */
  private waiting: HeadWaiters | undefined;
  /** All epochs of this log so far. Events of an earlier one may still be in flight. */
  private readonly epochs = new Set<string>();

  constructor(
    readonly log: EventLog,
    private readonly control: ControlChannel,
    readonly keepsHistory = true,
    private readonly peers?: PeerChannel,
    /** The schemas of the hub's contracts, if it has one. */
    readonly schemas?: EventSchemas,
  ) {
    this.states = new StateReads(log);
  }

  hasPublished(appended: Appended): void {
    const { epoch, position = 0 } = appended;
    const known = this.published;
    if (known?.epoch !== epoch || position > (known.position ?? 0)) this.published = appended;
  }

  /** Where a stream without a last event ID begins: after all that this process has published. */
  get newest(): Position {
    const { epoch, position } = this.head;
    return this.published?.epoch === epoch
      ? Math.max(position, this.published.position ?? 0)
      : position;
  }

  join(receiver: Receiver): void {
    this.receivers.add(receiver);
    this.byRoom.join(receiver.rooms, receiver);
    this.hooks?.joined(receiver.rooms);
  }

  leave(receiver: Receiver): void {
    this.receivers.delete(receiver);
    this.byRoom.leave(receiver.rooms, receiver);
    this.hooks?.left(receiver.rooms);
  }

  /** The receiver stays, and reads some rooms less. */
  leaveRooms(receiver: Receiver, rooms: readonly string[]): void {
    this.byRoom.leave(rooms, receiver);
    this.hooks?.left(rooms);
  }

  /** The app's hooks for rooms that are read. */
  get roomHooks(): RoomHooks {
    return (this.hooks ??= new RoomHooks(this.byRoom));
  }

  /**
   * Gives the events of a reserved room to the only listener of that room. Returns a function that
   * removes it.
   */
  listen(room: string, listener: RoomListener): () => void {
    this.listeners.set(room, listener);
    return () => this.listeners.delete(room);
  }

  /**
   * A receiver may publish while it gets an event. The new event waits: otherwise, some receivers
   * would get it before the current one.
   */
  event(event: LoggedEvent): void {
    this.undelivered.push(event);
    if (this.isDelivering) return;
    this.isDelivering = true;
    try {
      for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) {
        this.deliverOrReport(next);
      }
    } finally {
      this.isDelivering = false;
    }
  }

  /**
   * Returns the same `HubEvent`, with its wire text, to everyone who gets this missed event at
   * about the same time.
   */
  eventOf(logged: LoggedEvent): HubEvent {
    const known = this.replayed.get(logged)?.deref();
    if (known !== undefined) return known;
    const event = new HubEvent(logged, this.schemas);
    this.replayed.set(logged, new WeakRef(event));
    return event;
  }

  /** If the rooms of an event cannot be read, it may have been for any room. */
  private deliverOrReport(next: LoggedEvent): void {
    try {
      this.deliver(next);
    } catch (error) {
      logError(error);
      this.lost({ rooms: this.rooms(), reason: 'unknown' });
    }
  }

  private deliver(next: LoggedEvent): void {
    const { epoch, position, rooms } = next;
    this.hasState ||= next.body.startsWith(STATE_CHANGE);
    if (rooms[0] === CONTROL_ROOM) guarded(() => this.control.receive(next));
    else if (rooms[0] === PEER_ROOM) guarded(() => this.peers?.receive(next));
    else if (this.listeners.size > 0 && this.listeners.has(rooms[0] ?? '')) {
      guarded(() => this.listeners.get(rooms[0] ?? '')?.event(next));
    } else this.deliverTo(rooms, next);
    if (position !== undefined) this.head = { epoch, position };
    this.waiting = this.waiting?.reached(position ?? 0);
  }

  /** Calls back once everything up to here was delivered, or another epoch has begun. */
  whenAt(position: Position, step: () => void): void {
    if (position <= this.head.position) return step();
    this.waiting = (this.waiting ?? new HeadWaiters()).add(position, step);
  }

  private deliverTo(rooms: readonly string[], next: LoggedEvent): void {
    // If many processes share a hub, most events have no receiver here.
    if (!rooms.some((room) => this.byRoom.size(room) > 0)) return;
    const published = guarded(() => new HubEvent(next, this.schemas));
    // The log has counted the event, so its receivers have to get a gap.
    if (published === undefined) return this.lost({ rooms, reason: 'unknown' });
    const [only] = rooms;
    const receivers =
      // A run is the same for all of its readers.
      only === undefined || rooms.length > 1 || next.except !== undefined
        ? this.byRoom.membersOf(rooms)
        : this.addToRun(only, published);
    // mutant: an event of two rooms is delivered twice
    for (const receiver of receivers) guarded(() => receiver.deliver(published));
  }

  /**
   * Adds the event to the run of its room. Returns the members that are not in it. While all are,
   * an event costs the same for any number of them.
   */
  private addToRun(room: string, event: HubEvent): readonly Receiver[] {
    let run = this.runs.get(room);
    if (run === undefined || run.isFull) {
      run = new Run((empty) => {
        if (this.runs.get(room) === empty) this.runs.delete(room);
      });
      this.runs.set(room, run);
    }
    // mutant: who is not in a run yet gets nothing of it
    const isComplete = run.readers === this.byRoom.size(room);
    const others = isComplete ? NONE : this.byRoom.membersOf([room]).filter(notIn(run, event));
    if (run.readers === 0) this.runs.delete(room);
    else run.add(event);
    return others;
  }

  lost({ rooms, reason }: Gap, upTo?: Head): void {
    this.learn(upTo);
    if (rooms.includes(CONTROL_ROOM) && reason !== 'epoch') guarded(() => this.control.lost());
    const lost = new Set(rooms);
    for (const [room, listener] of this.listeners) {
      if (lost.has(room)) guarded(() => listener.lost());
    }
    for (const receiver of this.byRoom.membersOf(rooms)) {
      const own = receiver.rooms.filter((room) => lost.has(room));
      guarded(() => receiver.lost({ rooms: own, reason }));
    }
  }

  caughtUp(head: Head): void {
    const isAnother = this.head.epoch !== head.epoch;
    if (isAnother && this.head.epoch !== '') guarded(() => this.control.lost());
    this.head = head;
    this.learn(head);
    this.epochs.add(head.epoch);
    this.waiting = this.waiting?.reached(isAnother ? Infinity : head.position);
    if (!isAnother) return;
    for (const listener of this.listeners.values()) guarded(() => listener.restart());
    for (const receiver of this.receivers) guarded(() => receiver.restart());
  }

  /** Takes from a head of the log whether rooms may have a state. */
  learn(head?: Pick<Head, 'entries'>): void {
    this.hasState ||= head?.entries !== undefined;
  }

  /** Whether ids of this epoch are from this hub. */
  knowsEpoch(epoch: string): boolean {
    return this.epochs.has(epoch);
  }

  /** Resolves when the app's hooks have stopped, too. */
  async end(): Promise<void> {
    for (const receiver of this.receivers) guarded(() => receiver.end());
    await this.hooks?.close();
  }

  /** Ends all streams of a room. */
  close(room: string, reason: string | undefined): void {
    for (const receiver of this.byRoom.membersOf([room])) guarded(() => receiver.close(reason));
  }

  /** The rooms whose events must reach this process: those that are read, and the control room. */
  rooms(): string[] {
    return [...this.byRoom.names(), ...this.listeners.keys(), CONTROL_ROOM];
  }

  /** The rooms with receivers. */
  readRooms(): string[] {
    return this.byRoom.names();
  }

  size(room?: string): number {
    return room === undefined ? this.receivers.size : this.byRoom.size(room);
  }
}

const NONE: readonly Receiver[] = [];

/** How the body of an event begins that changes an entry. */
const STATE_CHANGE = `event: ${SSE_SET}\n`;

const notIn =
  (run: Run, event: HubEvent) =>
  (receiver: Receiver): boolean =>
    !receiver.enter(run, event);
