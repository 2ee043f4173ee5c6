import { createHash } from 'node:crypto';
import { SseInvalidFieldError } from '../ground/errors.js';
import type { Broadcaster } from '../hub/broadcaster.js';
import type { SseEvent } from '../log/event.js';
import { formatCursor } from '../wire/cursor.js';
import { cursorBefore, parseEventId, type Place } from './event-id.js';

const REMEDY =
  'it is not an id of this session, or its event is no longer kept; begin without a last event ID, and see `history` of the hub';

/**
 * The rooms of one session, one for each of its streams. Their names have no session id: whoever
 * sees rooms, in the inspector or in Redis, cannot act as the session.
 */
export class SessionRooms {
  private readonly key: string;

  constructor(
    private readonly broadcaster: Broadcaster,
    private readonly prefix: string,
    session: string,
  ) {
    this.key = createHash('sha256').update(session).digest('base64url').slice(0, 22);
  }

  of(stream: string): string {
    return `${this.prefix}:${this.key}:${stream}`;
  }

  /**
   * What a last event ID names, if its event is still kept in that stream of this session. Then
   * all events after it are kept too, because a room loses its oldest events first.
   */
  async find(id: string): Promise<Place | undefined> {
    const place = parseEventId(id);
    if (place === undefined) return undefined;
    const range = { after: cursorBefore(place), limit: 1 };
    const { events } = await this.broadcaster.history(this.of(place.stream), range);
    return events[0]?.id === formatCursor(place.cursor) ? place : undefined;
  }

  /**
   * Reads the events after a place, in pages, up to the newest one.
   * @throws SseInvalidFieldError if some of them were lost while it read
   */
  async *after({ stream, cursor }: Place): AsyncGenerator<SseEvent[]> {
    let last = formatCursor(cursor);
    for (let hasMore = true; hasMore;) {
      const page = await this.broadcaster.history(this.of(stream), { after: last });
      if (!page.covered) throw notKept(last);
      ({ hasMore } = page);
      last = page.events.at(-1)?.id ?? last;
      if (page.events.length > 0) yield page.events;
    }
  }
}

export function notKept(id: string): SseInvalidFieldError {
  return new SseInvalidFieldError('Last-Event-ID', id, REMEDY);
}
