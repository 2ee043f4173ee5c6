import type { HistoryPage } from '../hub/broadcaster.js';
import type { Hub } from '../hub/hub.js';
import { HubEvent, type EventMap, type SseEvent } from '../log/event.js';
import { formatCursor } from '../wire/cursor.js';
import { isStateChange } from '../wire/protocol.js';
import { shortened, timeOf } from './shown.js';
import type { InspectedEvent, InspectedRoomEvents } from './inspected-room.js';

const MAX_EVENTS = 20;

/**
 * The last events of a room, or those after `after`. They are read from the log. So the page does
 * not join the room: it is not counted as a reader, and `limits.maxPerRoom` does not apply to it.
 * @throws what `history()` throws, such as `SSE_LOG_UNAVAILABLE`
 */
export async function roomEvents(
  hub: Hub,
  room: string,
  after?: string,
): Promise<InspectedRoomEvents> {
  const at = Date.now();
  if (!hub.delivery.keepsHistory) {
    return { at, isKept: false, events: [], cursor: null, entriesChanged: false };
  }
  const next = after === undefined ? undefined : await hub.history(room, { after, limit: MAX_EVENTS }); // prettier-ignore
  if (next === undefined || next.hasMore || !next.covered) {
    // The first look, or more than a page since the last one: the newest are the ones to show.
    const head = await hub.log.head();
    const newest = await hub.history(room, { limit: MAX_EVENTS });
    const entriesChanged = head.entries !== undefined;
    return { at, ...answerOf(newest, formatCursor(head)), entriesChanged };
  }
  const entriesChanged = next.events.some(({ type }) => isStateChange(type));
  return { at, ...answerOf(next, after ?? ''), entriesChanged };
}

/** @param from where an empty page ends */
function answerOf({ events }: HistoryPage<EventMap>, from: string) {
  return { isKept: true, events: events.map(inspected), cursor: events.at(-1)?.id ?? from };
}

function inspected(event: SseEvent): InspectedEvent {
  const { id = '', type, data } = event;
  const { position = 0, frame } = event as unknown as HubEvent;
  return {
    id,
    type: type ?? null,
    at: timeOf(position),
    bytes: Buffer.byteLength(frame),
    data: shownAsText(data),
  };
}

function shownAsText(data: unknown): string {
  if (Buffer.isBuffer(data)) return shortened(data.toString('base64'));
  return shortened(typeof data === 'string' ? data : (JSON.stringify(data) ?? ''));
}
