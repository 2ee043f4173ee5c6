import { roomsOutside, wholeCoverOf } from '../connection/room-cover.js';
import type { Cursor, Position } from '../wire/cursor.js';
import type { IdTail, ReturningClient } from '../wire/last-event-id.js';
import type { StoredRooms } from './stored-rooms.js';
import type { Beginning } from './stream-part.js';

/** Rooms that begin together. */
export interface Group {
  readonly rooms: readonly string[];
  readonly begin: Beginning;
  /** After which position their events are owed, as far as the log has it. */
  readonly since?: ReadonlyMap<string, Position>;
}

/** Which rooms a stream begins with, which join it after that, and which it has to ask for then. */
export interface Plan {
  readonly main: Group;
  readonly joining: readonly Group[];
  readonly asked: readonly string[];
}

/**
 * Where rooms begin that the client's cursors are not about: those that were joining go on where
 * they were, the others are new.
 */
export function newGroups(rooms: readonly string[], tail: IdTail | undefined): Group[] {
  const { cursor, cover } = tail?.joining ?? {};
  const isNew = { cursors: undefined };
  if (cursor === undefined || cursor.position === 0) return [{ rooms, begin: isNew }];
  // A page that asks for one more room mostly asks for it last.
  for (let count = rooms.length; count > 0; count--) {
    const joining = rooms.slice(0, count);
    if (cover !== wholeCoverOf(joining)) continue;
    const groups = [
      { rooms: joining, begin: { cursors: [cursor] } },
      { rooms: rooms.slice(count), begin: isNew },
    ];
    return groups.filter((group) => group.rooms.length > 0);
  }
  return [{ rooms, begin: isNew }];
}

/** Names the rooms that joined at a position, whichever of them leave later. */
export function labelOf(position: Position): string {
  return wholeCoverOf([`@${position}`]);
}

/** The same for rooms that the log has, which joined together at a known position. */
function beginOf(epoch: string, position: Position, tail: IdTail): Beginning {
  const { cursor, cover } = tail.joining ?? {};
  const label = labelOf(position);
  if (cursor === undefined || cover !== label || cursor.position === 0) {
    return { cursors: [{ epoch, position }], isNew: true, label };
  }
  return { cursors: [cursor], label };
}

/**
 * Plans a stream whose rooms can change.
 * @param asked the rooms that the route asks for
 * @param stored the rooms in the log, if they have changed since the stream was first opened
 */
export function planOf(
  asked: readonly string[],
  returning: ReturningClient | undefined,
  stored: StoredRooms | undefined,
): Plan {
  const { cursors, tail } = returning ?? {};
  const all = (begin: Beginning): Plan => ({
    main: { rooms: asked, begin },
    joining: [],
    asked: [],
  });
  if (cursors === undefined || tail === undefined) return all({ cursors });
  if (stored !== undefined) return storedPlan(asked, stored, cursors, tail);
  // Nobody knows what the client has missed: the log has forgotten its rooms.
  if (tail.hasChanged === true) return all({ cursors: [] });
  const outside = tail.cover === undefined ? [] : roomsOutside(tail.cover, asked);
  if (outside === undefined) return all({ cursors: [] });
  if (outside.length === 0) return all({ cursors });
  const rooms = asked.filter((room) => !outside.includes(room));
  return planned({ rooms, begin: { cursors } }, newGroups(outside, tail));
}

function storedPlan(
  asked: readonly string[],
  stored: StoredRooms,
  cursors: readonly Cursor[],
  tail: IdTail,
): Plan {
  const isDropped = (room: string): boolean => stored.asked.includes(room) && !asked.includes(room);
  const since = new Map([...stored.since].filter(([room]) => !isDropped(room)));
  const isNewlyAsked = (room: string): boolean => !stored.asked.includes(room) && !since.has(room);
  const newlyAsked = asked.filter(isNewlyAsked);
  const { epoch } = stored;
  const own = cursors.find((cursor) => cursor.epoch === epoch);
  const covered = coveredBy(tail.cover, since);
  const isCovered = (room: string, position: Position): boolean =>
    // mutant: a room that has not caught up is taken for read on a return
    own === undefined || (position <= own.position && covered.has(room));
  const main = [...since].filter(([room, position]) => isCovered(room, position));
  const rest = new Map([...since].filter(([room, position]) => !isCovered(room, position)));
  const joining = bySince(rest).map(([position, rooms]): Group => ({
    rooms,
    begin: beginOf(epoch, position, tail),
    since,
  }));
  const rooms = main.map(([room]) => room);
  return planned({ rooms, begin: { cursors }, since }, joining, newlyAsked);
}

/** The rooms that the client's cursors are about. Rooms of many joins are in their order. */
function coveredBy(
  cover: string | undefined,
  since: ReadonlyMap<string, Position>,
): ReadonlySet<string> {
  const all = [...since.keys()];
  const outside = cover === undefined ? [] : roomsOutside(cover, all);
  if (outside !== undefined) return new Set(all.filter((room) => !outside.includes(room)));
  const joined: string[] = [];
  for (const [, rooms] of bySince(since)) {
    joined.push(...rooms);
    if (cover === wholeCoverOf(joined)) return new Set(joined);
  }
  // Nobody knows: by their positions alone.
  return new Set(all);
}

/** Rooms that joined together, in the order of their joins. */
function bySince(since: ReadonlyMap<string, Position>): [Position, string[]][] {
  const groups = new Map<Position, string[]>();
  for (const [room, position] of since) {
    const group = groups.get(position);
    if (group === undefined) groups.set(position, [room]);
    else group.push(room);
  }
  return [...groups].sort(([one], [other]) => one - other);
}

/** If the main group has no rooms, the next one that has is the main one. */
function planned(main: Group, others: readonly Group[], asked: readonly string[] = []): Plan {
  const joining = others.filter(({ rooms }) => rooms.length > 0);
  const [next, ...rest] = joining;
  if (main.rooms.length > 0 || next === undefined) return { main, joining, asked };
  return { main: next, joining: rest, asked };
}
