import { roomsOutside } from '../connection/room-cover.js';
import type { Position } from '../wire/cursor.js';
import type { ReturningClient } from '../wire/last-event-id.js';
import type { OfRooms } from './stream-part.js';

/**
 * Whether a returning client got an event of several rooms before, from a room that its stream does
 * not have any more.
 * @param since the rooms that it has
 */
export function hadBefore(
  { rooms, position = Infinity }: OfRooms,
  { cursors, tail }: Partial<ReturningClient> = {},
  epoch: string,
  since: ReadonlyMap<string, Position>,
): boolean {
  if (rooms.length === 1 || tail?.cover === undefined) return false;
  const own = cursors?.find((cursor) => cursor.epoch === epoch);
  if (own === undefined || position > own.position) return false;
  const gone = rooms.filter((room) => !since.has(room));
  return gone.length > 0 && (roomsOutside(tail.cover, gone)?.length ?? Infinity) < gone.length;
}
