import type { Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import type { LoggedEvent } from './event.js';
import { sizeOfText } from './heap-size.js';
import { PublishedMessage } from './published-message.js';

/** Events with at least this many characters are kept as bytes. Smaller ones would save little. */
const LARGE = 65_536;

/**
 * A large event, as the memory log keeps it. Its text is stored as bytes outside V8's heap. V8 lets
 * its heap grow to several times what is in use, so 64 MB of text would take up to 300 MB.
 */
class LargeEvent implements LoggedEvent {
  readonly epoch: string;
  readonly position: Position | undefined;
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  readonly except: string | undefined;
  declare readonly body: string;
  readonly #bytes: Buffer;

  constructor({ epoch, position, rooms, message, body, except }: LoggedEvent) {
    this.epoch = epoch;
    this.position = position;
    this.rooms = rooms;
    this.message = message;
    this.except = except;
    this.#bytes = Buffer.from(body);
    if (message instanceof PublishedMessage) PublishedMessage.pack(message, body, this.#bytes);
    Object.defineProperty(this, 'body', BODY);
  }

  static bodyOf(event: LargeEvent): string {
    return event.#bytes.toString();
  }

  static sizeOf(event: LoggedEvent): number {
    return event instanceof LargeEvent ? event.#bytes.length : event.body.length;
  }
}

/** An own property of each event, so that spreading an event copies it. */
const BODY: PropertyDescriptor & ThisType<LargeEvent> = {
  get() {
    return LargeEvent.bodyOf(this);
  },
  enumerable: true,
};

export const isLarge = ({ body }: LoggedEvent): boolean => body.length >= LARGE;

/** Converts a large event for keeping, and returns any other as it is. */
export function asKept<Event extends LoggedEvent>(event: Event): Event {
  return isLarge(event) ? (new LargeEvent(event) as LoggedEvent as Event) : event;
}

/** The memory that the text of a kept event takes, in bytes. */
export function memoryOf(event: LoggedEvent): number {
  return event instanceof LargeEvent ? LargeEvent.sizeOf(event) : sizeOfText(event.body);
}

/** The length of an event's text, for limits. Reading the text of a large event would copy it. */
export const bodySize = (event: LoggedEvent): number => LargeEvent.sizeOf(event);
