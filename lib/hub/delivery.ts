import { Logger } from '@nestjs/common';
import { HubEvent, type LoggedEvent } from '../log/event.js';
import type { EventLog, Gap, Head, LogFollower } from '../log/event-log.js';
import { Ring } from '../log/ring.js';
import type { EventSchemas } from '../schema/validate.js';
import { CONTROL_ROOM, type ControlChannel } from './control-channel.js';
import { PEER_ROOM, type PeerChannel } from './peer-channel.js';
import { Rooms } from './rooms.js';
import { Run } from './run.js';

const logger = new Logger('Sse');

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

/**
 * Delivers the events of a hub's log to the subscriptions of their rooms: each event once per
 * subscription, in the order of the log. An error of one subscription does not affect the others.
 */
export class Delivery implements LogFollower {
  /** Every live receiver has got everything up to here. */
  head: Head = { epoch: '', position: 0 };

  private readonly receivers = new Set<Receiver>();
  private readonly byRoom = new Rooms<Receiver>();
  /** The rooms with events that some direct readers have not taken yet. */
  private readonly runs = new Map<string, Run>();
  private readonly undelivered = new Ring<LoggedEvent>();
  private isDelivering = false;
  /**
   * When many clients return at once, most missed the same few events and share them here. Held
   * weakly, so that no wire text stays in memory for clients that may never return.
   */
  private readonly replayed = new WeakMap<LoggedEvent, WeakRef<HubEvent>>();
  /** All epochs of this log so far. Events of an earlier one may still be in flight. */
  private readonly epochs = new Set<string>();

  constructor(
    readonly log: EventLog,
    private readonly control: ControlChannel,
    readonly keepsHistory = true,
    private readonly peers?: PeerChannel,
    /** The schemas of the hub's contracts, if it has one. */
    readonly schemas?: EventSchemas,
  ) {}

  join(receiver: Receiver): void {
    this.receivers.add(receiver);
    this.byRoom.join(receiver.rooms, receiver);
  }

  leave(receiver: Receiver): void {
    this.receivers.delete(receiver);
    this.byRoom.leave(receiver.rooms, receiver);
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
    if (rooms[0] === CONTROL_ROOM) guarded(() => this.control.receive(next));
    else if (rooms[0] === PEER_ROOM) guarded(() => this.peers?.receive(next));
    else this.deliverTo(rooms, next);
    if (position !== undefined) this.head = { epoch, position };
  }

  private deliverTo(rooms: readonly string[], next: LoggedEvent): void {
    // If many processes share a hub, most events have no receiver here.
    if (!rooms.some((room) => this.byRoom.size(room) > 0)) return;
    const published = guarded(() => new HubEvent(next, this.schemas));
    // The log has counted the event, so its receivers have to get a gap.
    if (published === undefined) return this.lost({ rooms, reason: 'unknown' });
    const [only] = rooms;
    const receivers =
      only === undefined || rooms.length > 1
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

  lost({ rooms, reason }: Gap): void {
    if (rooms.includes(CONTROL_ROOM) && reason !== 'epoch') guarded(() => this.control.lost());
    const lost = new Set(rooms);
    for (const receiver of this.byRoom.membersOf(rooms)) {
      const own = receiver.rooms.filter((room) => lost.has(room));
      guarded(() => receiver.lost({ rooms: own, reason }));
    }
  }

  caughtUp(head: Head): void {
    const isAnother = this.head.epoch !== head.epoch;
    if (isAnother && this.head.epoch !== '') guarded(() => this.control.lost());
    this.head = head;
    this.epochs.add(head.epoch);
    if (!isAnother) return;
    for (const receiver of this.receivers) guarded(() => receiver.restart());
  }

  /** Whether ids of this epoch are from this hub. */
  knowsEpoch(epoch: string): boolean {
    return this.epochs.has(epoch);
  }

  end(): void {
    for (const receiver of this.receivers) guarded(() => receiver.end());
  }

  /** Ends all streams of a room. */
  close(room: string, reason: string | undefined): void {
    for (const receiver of this.byRoom.membersOf([room])) guarded(() => receiver.close(reason));
  }

  /**
   * The rooms whose events must reach this process. The control room has no receivers, but is
   * always one of them.
   */
  rooms(): string[] {
    return [...this.byRoom.names(), CONTROL_ROOM];
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

const notIn =
  (run: Run, event: HubEvent) =>
  (receiver: Receiver): boolean =>
    !receiver.enter(run, event);

/** An error of one receiver must not keep an event from the others. */
function guarded<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    logError(error);
    return undefined;
  }
}

/** The logger may be the app's, and may throw as well. */
function logError(error: unknown): void {
  try {
    logger.error(error);
  } catch {
    // Nothing is left to report it to.
  }
}
