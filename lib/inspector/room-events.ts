import type { Hub } from '../hub/hub.js';
import { HubEvent, type SseEvent } from '../log/event.js';
import type { InspectedEvent, InspectedRoomEvents } from './state.js';

const MAX_EVENTS = 20;
const MAX_DATA_LENGTH = 2_000;

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
  if (!hub.delivery.keepsHistory) return { isKept: false, events: [] };
  const newest = () => hub.history(room, { limit: MAX_EVENTS });
  let page = after === undefined ? await newest() : await hub.history(room, { after, limit: MAX_EVENTS }); // prettier-ignore
  // More than a page since the last look: the newest are the ones to show.
  if (after !== undefined && page.hasMore) page = await newest();
  return { isKept: true, events: page.events.map(inspected) };
}

function inspected(event: SseEvent): InspectedEvent {
  const { id = '', type, data } = event;
  const { position = 0, frame } = event as unknown as HubEvent;
  return {
    id,
    type: type ?? null,
    // A position is based on the clock of the log, in microseconds.
    at: Math.floor(position / 1_000),
    bytes: Buffer.byteLength(frame),
    data: shownAsText(data),
  };
}

function shownAsText(data: unknown): string {
  const text = Buffer.isBuffer(data)
    ? data.toString('base64')
    : typeof data === 'string'
      ? data
      : (JSON.stringify(data) ?? '');
  return text.length <= MAX_DATA_LENGTH ? text : `${text.slice(0, MAX_DATA_LENGTH)}…`;
}
