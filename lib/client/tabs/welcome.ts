import type { Entry, Hello, RoomFacts, Status, Welcome } from './messages.js';
import type { SharedLog } from './shared-log.js';
import type { Host } from './surroundings.js';

/** The events that a tab has missed are not kept. Whose rooms they were is not known. */
export const GAP: Entry = {
  type: 'sse-gap',
  text: JSON.stringify({ rooms: [], reason: 'unknown' }),
  id: undefined,
  cursor: undefined,
};

/** What a tab that comes, or comes back, needs to go on from the place of this one. */
export function welcomeFor(
  { from, ask, place, cursor }: Hello,
  term: number,
  log: SharedLog,
  host: Host,
  status: Status,
  rooms: RoomFacts,
): Welcome {
  // No tab may know the place of a tab that was away, but this one may know its cursor.
  const byPlace = log.since(place);
  const entries = cursor === undefined ? [] : (byPlace ?? log.sinceId(cursor));
  return {
    kind: 'welcome',
    to: from,
    term,
    ask,
    place: log.place,
    cursor: log.cursor,
    status,
    entries: entries ?? [],
    hasGap: entries === undefined,
    isByPlace: byPlace !== undefined,
    state: cursor !== undefined && entries ? [] : host.states.entries,
    rooms,
  };
}

/** Goes on from the place of the tab that has answered. */
export function takeWelcome(welcome: Welcome, log: SharedLog, host: Host): void {
  const { place, cursor, entries, state, hasGap, isByPlace } = welcome;
  // The leader has not yet heard all that it has posted, and this tab has.
  if (log.passes(place)) return;
  const isNew = log.place.term === 0;
  const brought = log.cursor ?? host.lastEventId;
  const first = entries[0]?.place;
  // By its id, it may bring some again that have none.
  const isNews = entries.map((placed) => !log.passes(placed.place));
  if (hasGap || isNew) log.begin(place, cursor);
  else if (!isByPlace) {
    // The tab that answered did not come by the place of this one, only by its cursor.
    if (first) log.forget({ ...first, n: first.n - 1 }, brought);
    else log.forget(place, cursor);
  }
  if (hasGap) host.take(GAP);
  for (const entry of state) host.take(entry);
  for (const [at, placed] of entries.entries()) {
    if (!isNew) log.keep(placed);
    if (isNews[at] && !log.repeats(placed.entry)) host.take(placed.entry);
  }
  log.moveTo(place, cursor, brought);
  if (!log.isAhead) host.moved(cursor);
}
