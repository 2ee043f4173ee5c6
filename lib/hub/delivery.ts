import { Logger } from '@nestjs/common';
import { HubEvent, type LoggedEvent } from '../log/event.js';
import type { Gap, Head, LogFollower } from '../log/event-log.js';
import type { Reader } from './reader.js';
import { Ring } from '../log/ring.js';
import { CONTROL_ROOM, Rooms } from './rooms.js';

const logger = new Logger('Sse');

const CONTROL_LOST = 'What other processes said to all, such as a revocation, may have been lost';

/** From the log of a hub to the readers of its rooms: each event to each of them once, in the order of the log. */
export class Delivery<Events extends object> implements LogFollower {
  /** Up to here every live reader has got everything. */
  head: Head = { epoch: '', position: 0 };

  /** Hears what other processes, and this one, say to all. */
  onControl: ((data: string) => void) | undefined;

  private readonly readers = new Set<Reader<Events>>();
  private readonly byRoom = new Rooms<Reader<Events>>();
  private readonly undelivered = new Ring<LoggedEvent>();
  private isDelivering = false;
  /**
   * When many clients return at once, most of them miss the same few events. Those are shared until the garbage collector
   * takes them, so that no wire text is held for a client that may not come.
   */
  private readonly replayed = new WeakMap<LoggedEvent, WeakRef<HubEvent>>();
  /** Of all logs that this one has been: events of an earlier one may still be on their way through a handler. */
  private readonly epochs = new Set<string>();

  join(reader: Reader<Events>): void {
    this.readers.add(reader);
    this.byRoom.join(reader.rooms, reader);
  }

  leave(reader: Reader<Events>): void {
    this.readers.delete(reader);
    this.byRoom.leave(reader.rooms, reader);
  }

  /** A reader may publish while it is being delivered to: that event waits, or some would get it too early. */
  event(event: LoggedEvent): void {
    this.undelivered.push(event);
    if (this.isDelivering) return;
    this.isDelivering = true;
    try {
      for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) {
        this.deliverOrTell(next);
      }
    } finally {
      this.isDelivering = false;
    }
  }

  /** A missed event: the same for everyone who is given it at about the same time, and with it the wire text. */
  eventOf(logged: LoggedEvent): HubEvent {
    const known = this.replayed.get(logged)?.deref();
    if (known !== undefined) return known;
    const event = new HubEvent(logged);
    this.replayed.set(logged, new WeakRef(event));
    return event;
  }

  /** One that does not even tell its rooms may be of any. */
  private deliverOrTell(next: LoggedEvent): void {
    try {
      this.deliver(next);
    } catch (error) {
      tell(error);
      this.lost({ rooms: this.rooms(), reason: 'unknown' });
    }
  }

  private deliver(next: LoggedEvent): void {
    const { epoch, position, rooms } = next;
    if (rooms[0] === CONTROL_ROOM) guarded(() => this.onControl?.(String(next.message.data)));
    else this.deliverTo(this.byRoom.in(rooms), next);
    if (position !== undefined) this.head = { epoch, position };
  }

  private deliverTo(readers: Reader<Events>[], next: LoggedEvent): void {
    // Most events of a hub that many processes share are for nobody here.
    if (readers.length === 0) return;
    const published = guarded(() => new HubEvent(next));
    // It has its place in the log all the same, so who reads its rooms is told of what does not come.
    if (published === undefined) return this.lost({ rooms: next.rooms, reason: 'unknown' });
    // mutant: an event of two rooms is delivered twice
    for (const reader of readers) guarded(() => reader.deliver(published));
  }

  lost({ rooms, reason }: Gap): void {
    if (rooms.includes(CONTROL_ROOM) && reason !== 'epoch') {
      guarded(() => logger.warn(CONTROL_LOST));
    }
    for (const reader of this.byRoom.in(rooms)) {
      const own = reader.rooms.filter((room) => rooms.includes(room));
      guarded(() => reader.lost({ rooms: own, reason }));
    }
  }

  caughtUp(head: Head): void {
    const isAnother = this.head.epoch !== head.epoch;
    if (isAnother && this.head.epoch !== '') guarded(() => logger.warn(CONTROL_LOST));
    this.head = head;
    this.epochs.add(head.epoch);
    if (!isAnother) return;
    for (const reader of this.readers) guarded(() => reader.beginAnew());
  }

  /** Whether ids of this epoch are this hub's. */
  knowsEpoch(epoch: string): boolean {
    return this.epochs.has(epoch);
  }

  /** Ends every stream. */
  end(): void {
    for (const reader of this.readers) reader.end();
  }

  /** Of which the log has to tell: also what nobody has opened a stream for. */
  rooms(): string[] {
    return [...this.byRoom.names(), CONTROL_ROOM];
  }

  /** Which somebody reads. */
  readRooms(): string[] {
    return this.byRoom.names();
  }

  readersOf(rooms: readonly string[]): Reader<Events>[] {
    return this.byRoom.in(rooms);
  }

  size(room?: string): number {
    return room === undefined ? this.readers.size : this.byRoom.size(room);
  }
}

/** Whatever one reader does, the others get what is theirs. */
function guarded<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    tell(error);
    return undefined;
  }
}

/** A logger is the app's own, and may fail like everything else. */
function tell(error: unknown): void {
  try {
    logger.error(error);
  } catch {
    // There is nobody left to tell, and the hub goes on.
  }
}
