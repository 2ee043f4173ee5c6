import type { LimitsOptions } from '../connection/connections.options.js';
import type { Stream } from '../connection/stream.js';
import { preview, SseLimitError } from '../ground/errors.js';

/**
 * Refuses a stream that would read too many rooms, or a full one.
 * @throws SseLimitError
 */
export function checkRoomLimits(
  { maxPerRoom = Infinity, maxRoomsPerConnection = Infinity }: LimitsOptions,
  rooms: readonly string[],
  connection: Stream | undefined,
  sizeOf: (room: string) => number,
): void {
  const count = (connection?.cursor.roomCount ?? 0) + rooms.length;
  if (count > maxRoomsPerConnection) {
    const remedy = `the connection would read ${count} rooms; request fewer`;
    throw new SseLimitError('maxRoomsPerConnection', maxRoomsPerConnection, remedy);
  }
  for (const room of maxPerRoom === Infinity ? [] : rooms) {
    if (sizeOf(room) < maxPerRoom) continue;
    throw new SseLimitError(
      'maxPerRoom',
      maxPerRoom,
      `room ${preview(room)} is full; try again later`,
    );
  }
}
