import { Logger } from '@nestjs/common';
import type { Position } from './cursor.js';
import { HubEvent, type LoggedEvent } from './event.js';
import type { Gap, Head, LogFollower } from './event-log.js';
import type { Reader } from './reader.js';
import { CONTROL_ROOM, Rooms } from './rooms.js';

const logger = new Logger('Sse');

const CONTROL_LOST = 'What other processes said to all, such as a revocation, may have been lost';

/** When many clients return at once, most of them miss the same few events. */
const MAX_RECENT = 1_000;

/** From the log of a hub to the readers of its rooms: each event to each of them once, in the order of the log. */
export class Delivery<Events extends object> implements LogFollower {
  /** Up to here every live reader has got everything. */
  head: Head = { epoch: '', position: 0 };

  /** Hears what other processes, and this one, say to all. */
  onControl: ((data: string) => void) | undefined;

  private readonly readers = new Set<Reader<Events>>();
  private readonly byRoom = new Rooms<Reader<Events>>();
  private readonly undelivered: LoggedEvent[] = [];
  private isDelivering = false;
  private readonly recent = new Map<Position, HubEvent>();
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
    for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) {
      this.deliver(next);
      const { epoch, position } = next;
      if (position !== undefined) this.head = { epoch, position };
    }
    this.isDelivering = false;
  }

  /** The same for everyone who gets the event, live or by a replay soon after it, and with it the wire text. */
  eventOf(logged: LoggedEvent): HubEvent {
    const { position } = logged;
    if (position === undefined) return new HubEvent(logged);
    const known = this.recent.get(position);
    if (known !== undefined) return known;
    const event = new HubEvent(logged);
    this.recent.set(position, event);
    if (this.recent.size > MAX_RECENT) {
      for (const oldest of this.recent.keys()) {
        this.recent.delete(oldest);
        break;
      }
    }
    return event;
  }

  private deliver(next: LoggedEvent): void {
    if (next.rooms[0] === CONTROL_ROOM)
      return guarded(() => this.onControl?.(String(next.message.data)));
    const readers = this.byRoom.in(next.rooms);
    // Most events of a hub that many processes share are for nobody here.
    if (readers.length === 0) return;
    const published = this.eventOf(next);
    for (const reader of readers) guarded(() => reader.deliver(published));
  }

  lost({ rooms, reason }: Gap): void {
    if (rooms.includes(CONTROL_ROOM) && reason !== 'epoch') {
      logger.warn(CONTROL_LOST);
    }
    for (const reader of this.byRoom.in(rooms)) {
      const own = reader.rooms.filter((room) => rooms.includes(room));
      guarded(() => reader.lost({ rooms: own, reason }));
    }
  }

  caughtUp(head: Head): void {
    const isAnother = this.head.epoch !== head.epoch;
    if (isAnother && this.head.epoch !== '') logger.warn(CONTROL_LOST);
    this.head = head;
    this.epochs.add(head.epoch);
    if (!isAnother) return;
    this.recent.clear();
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
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    logger.error(error);
  }
}
