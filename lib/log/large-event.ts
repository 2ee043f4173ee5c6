import type { Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import type { LoggedEvent } from './event.js';
import { sizeOfText } from './heap-size.js';
import { PublishedMessage } from './published-message.js';

/** An event of so many characters is large. Below that, bytes would save little. */
const LARGE = 65_536;

/**
 * A large event in the memory log. Its text is kept as bytes, outside V8's heap: V8 lets the heap
 * grow to several times what is in use, so a history of 64 MB of text would take up to 300 MB.
 */
class LargeEvent implements LoggedEvent {
  readonly epoch: string;
  readonly position: Position | undefined;
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  declare readonly body: string;
  readonly #bytes: Buffer;

  constructor({ epoch, position, rooms, message, body }: LoggedEvent) {
    this.epoch = epoch;
    this.position = position;
    this.rooms = rooms;
    this.message = message;
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

/** A property of each event itself, so that it is in a copy by spread. */
const BODY: PropertyDescriptor & ThisType<LargeEvent> = {
  get() {
    return LargeEvent.bodyOf(this);
  },
  enumerable: true,
};

/** The event as the memory log keeps it. */
export function asKept<Event extends LoggedEvent>(event: Event): Event {
  return event.body.length < LARGE ? event : (new LargeEvent(event) as LoggedEvent as Event);
}

/** What the text of a kept event takes in memory, in bytes. */
export function memoryOf(event: LoggedEvent): number {
  return event instanceof LargeEvent ? LargeEvent.sizeOf(event) : sizeOfText(event.body);
}

/** How long the text of an event is. Does not read the text of a large one, which costs a copy. */
export const bodySize = (event: LoggedEvent): number => LargeEvent.sizeOf(event);
