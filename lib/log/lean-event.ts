import type { Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import type { LoggedEvent } from './event.js';
import { isLarge } from './large-event.js';
import { PublishedMessage } from './published-message.js';

/**
 * An event that set an entry, as a log in memory keeps it: as long as the entry, so without all
 * that its text says.
 */
export class LeanEvent implements LoggedEvent {
  private constructor(
    readonly epoch: string,
    readonly position: Position,
    private readonly room: string,
    private readonly type: string | undefined,
    readonly body: string,
  ) {}

  /** `undefined` if the event is large, or more than its text. */
  static of(event: LoggedEvent & { readonly position: Position }): LeanEvent | undefined {
    const { epoch, position, rooms, message, body, except } = event;
    const [room] = rooms;
    if (room === undefined || except !== undefined || isLarge(event)) return undefined;
    if (!PublishedMessage.isJsonOf(message, body)) return undefined;
    return new LeanEvent(epoch, position, room, message.type, body);
  }

  get rooms(): readonly string[] {
    return [this.room];
  }

  get message(): SseMessage {
    return PublishedMessage.ofJson(this.type, this.body);
  }
}
