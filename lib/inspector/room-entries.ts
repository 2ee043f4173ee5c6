import type { Hub } from '../hub/hub.js';
import { roomList } from '../hub/rooms.js';
import type { RoomEntries } from '../log/entries.js';
import { formatCursor } from '../wire/cursor.js';
import { shortened, timeOf } from './shown.js';
import type { InspectedEntry, InspectedRoomEntries } from './inspected-room.js';

const MAX_ENTRIES = 50;

/**
 * The most recently changed entries of a room. The log reads all of them, so the page asks only
 * after a change.
 * @throws SseInvalidFieldError for an invalid name; what `EventLog.entries()` throws, such as
 * `SSE_LOG_UNAVAILABLE`
 */
export async function roomEntries(hub: Hub, room: string): Promise<InspectedRoomEntries> {
  const at = Date.now();
  roomList(room);
  // From the log: this process may not have heard of the first entry yet.
  if ((await hub.log.head()).entries === undefined) return { at, count: 0, list: [] };
  const { events = [] } = (await hub.log.entries(room)) ?? {};
  return { at, count: events.length, list: events.slice(-MAX_ENTRIES).reverse().map(inspected) };
}

function inspected(event: RoomEntries['events'][number]): InspectedEntry {
  const { key, value } = event.message.data as { key: string; value: unknown };
  const text = JSON.stringify(value);
  return {
    key,
    position: formatCursor(event),
    at: timeOf(event.position),
    bytes: Buffer.byteLength(text),
    value: shortened(text),
  };
}
