import type { HubEvent } from '../log/event.js';
import { changedEntry } from '../log/changed-entry.js';
import { SSE_SET } from '../wire/protocol.js';

/**
 * Live events that wait until their subscription has caught up. Of the changes of an entry only the
 * newest waits, so that a large state can be sent to a slow client while changes go on.
 */
export class HeldEvents {
  /**
   * Characters of wire text, without entries that were set: there are no more of these than the
   * room has. Of keys that were deleted there can be any number.
   */
  size = 0;
  private readonly waiting = new Map<unknown, HubEvent>();
  private serial = 0;

  get events(): Iterable<HubEvent> {
    return this.waiting.values();
  }

  push(event: HubEvent): void {
    const entry = changedEntry(event);
    if (entry === undefined) {
      this.size += event.frame.length;
      this.waiting.set(this.serial++, event);
      return;
    }
    const older = this.waiting.get(entry);
    if (older !== undefined) {
      this.size -= sizeOf(older);
      this.waiting.delete(entry);
    }
    this.size += sizeOf(event);
    this.waiting.set(entry, event);
  }
}

function sizeOf({ type, frame }: HubEvent): number {
  return type === SSE_SET ? 0 : frame.length;
}
