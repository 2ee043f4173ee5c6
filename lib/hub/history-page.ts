import { HubEvent, type EventMap, type SseEvent } from '../log/event.js';
import type { RoomState } from '../log/event-log.js';
import { isCovered, positionIn } from '../log/resume.js';
import type { Cursor } from '../wire/cursor.js';
import type { HistoryPage } from './broadcaster.js';
import type { Delivery } from './delivery.js';

/** The most characters of wire text that one page reads. */
const PAGE_BYTES = 8 * 1_048_576;

/**
 * Reads the kept events of a room after a client's cursors; the newest ones if the cursors give no
 * position in this log.
 */
export async function readPage(
  { log, schemas }: Pick<Delivery, 'log' | 'schemas'>,
  room: string,
  after: readonly Cursor[] | undefined,
  limit: number,
): Promise<HistoryPage<EventMap>> {
  const from = after === undefined ? 0 : positionIn(await log.head(), after);
  const isKnown = after !== undefined && typeof from === 'number';
  const position = isKnown ? from : 0;
  const range = { after: position, maxEvents: limit, maxBytes: PAGE_BYTES, newest: !isKnown };
  const read = await log.read([room], range);
  const [{ last, entries, isWhole }] = read.rooms as [RoomState];
  const isCoveredByLog = !isKnown || isCovered(from, last, entries[0]);
  return {
    events: entries.map(({ event }) => new HubEvent(event, schemas) as SseEvent),
    covered: typeof from === 'number' && isCoveredByLog,
    hasMore: !isWhole,
  };
}
