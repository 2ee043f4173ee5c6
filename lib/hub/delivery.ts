import { Logger } from '@nestjs/common';
import { HubEvent, type LoggedEvent } from '../log/event.js';
import type { EventLog, Gap, Head, LogFollower } from '../log/event-log.js';
import { Ring } from '../log/ring.js';
import { CONTROL_ROOM, type ControlChannel } from './control-channel.js';
import { PEER_ROOM, type PeerChannel } from './peer-channel.js';
import { Rooms } from './rooms.js';

const logger = new Logger('Sse');

/** A member of some rooms, which gets what is published to them. */
export interface Receiver {
  readonly rooms: readonly string[];
  deliver(event: HubEvent): void;
  /** Events of these rooms did not reach this process, and will not. */
  lost(gap: Gap): void;
  /** The log is another one, and positions begin again. */
  restart(): void;
  /** Ends the client's connection, or where there is none, the stream. */
  close(reason: string | undefined): void;
  /** The hub has ended. */
  end(): void;
}

/**
 * From the log of a hub to the members of its rooms: each event to each of them once, in the order
 * of the log.
 */
export class Delivery implements LogFollower {
  /** Up to here every live receiver has got everything. */
  head: Head = { epoch: '', position: 0 };

  private readonly receivers = new Set<Receiver>();
  private readonly byRoom = new Rooms<Receiver>();
  private readonly undelivered = new Ring<LoggedEvent>();
  private isDelivering = false;
  /**
   * When many clients return at once, most of them miss the same few events. Those are shared until
   * the garbage collector takes them, so that no wire text is held for a client that may not come.
   */
  private readonly replayed = new WeakMap<LoggedEvent, WeakRef<HubEvent>>();
  /**
   * Of all logs that this one has been: events of an earlier one may still be on their way through
   * a handler.
   */
  private readonly epochs = new Set<string>();

  constructor(
    readonly log: EventLog,
    private readonly control: ControlChannel,
    readonly keepsHistory = true,
    private readonly peers?: PeerChannel,
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
   * A receiver may publish while it gets an event. That event waits, or others would get it too
   * early.
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
   * A missed event: the same for everyone who is given it at about the same time, and with it the
   * wire text.
   */
  eventOf(logged: LoggedEvent): HubEvent {
    const known = this.replayed.get(logged)?.deref();
    if (known !== undefined) return known;
    const event = new HubEvent(logged);
    this.replayed.set(logged, new WeakRef(event));
    return event;
  }

  /** An event whose rooms cannot be read may be of any room. */
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
    else this.deliverTo(this.byRoom.membersOf(rooms), next);
    if (position !== undefined) this.head = { epoch, position };
  }

  private deliverTo(receivers: Receiver[], next: LoggedEvent): void {
    // Most events of a hub that many processes share are for nobody here.
    if (receivers.length === 0) return;
    const published = guarded(() => new HubEvent(next));
    // The log has counted it, so the members of its rooms hear that it does not come.
    if (published === undefined) return this.lost({ rooms: next.rooms, reason: 'unknown' });
    // mutant: an event of two rooms is delivered twice
    for (const receiver of receivers) guarded(() => receiver.deliver(published));
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

  /** Whether ids of this epoch are this hub's. */
  knowsEpoch(epoch: string): boolean {
    return this.epochs.has(epoch);
  }

  /** Ends every stream. */
  end(): void {
    for (const receiver of this.receivers) guarded(() => receiver.end());
  }

  /** Ends the streams of a room. */
  close(room: string, reason: string | undefined): void {
    for (const receiver of this.byRoom.membersOf([room])) guarded(() => receiver.close(reason));
  }

  /**
   * The rooms whose events have to reach this process; the control room, which nobody opens a
   * stream for, is one of them.
   */
  rooms(): string[] {
    return [...this.byRoom.names(), CONTROL_ROOM];
  }

  /** The rooms with members. */
  readRooms(): string[] {
    return this.byRoom.names();
  }

  size(room?: string): number {
    return room === undefined ? this.receivers.size : this.byRoom.size(room);
  }
}

/** What one receiver throws does not keep an event from the others. */
function guarded<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    logError(error);
    return undefined;
  }
}

/** The logger may be the app's own, and fail too. */
function logError(error: unknown): void {
  try {
    logger.error(error);
  } catch {
    // Nobody is left to hear of it, and the hub goes on.
  }
}
