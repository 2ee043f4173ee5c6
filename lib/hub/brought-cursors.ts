import type { Cursor } from '../wire/cursor.js';
import { parseLastEventId, parsePrefixed } from '../wire/last-event-id.js';
import type { CatchingUp } from './catching-up.js';

/**
 * The cursors that the client brought for a stream of a hub. Each room resumes there once per
 * connection.
 */
export function broughtCursors({
  delivery,
  rooms,
  options,
  connection,
  part,
}: Pick<CatchingUp, 'delivery' | 'rooms' | 'options' | 'connection' | 'part'>):
  readonly Cursor[] | undefined {
  if (part !== undefined) return part.begin.cursors;
  const { lastEventId, idPrefix } = options;
  if (!delivery.keepsHistory || lastEventId === false || lastEventId === '') return undefined;
  if (lastEventId !== undefined && idPrefix !== undefined)
    return parsePrefixed(lastEventId, idPrefix).cursors;
  if (lastEventId !== undefined) return parseLastEventId(lastEventId).cursors;
  const cursors = connection?.returning?.cursors;
  if (cursors === undefined) return undefined;
  return connection?.cursor.claim(delivery, rooms) ? cursors : undefined;
}
