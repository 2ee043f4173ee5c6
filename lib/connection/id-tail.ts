import type { Position } from '../wire/cursor.js';
import { formatTail, type IdTail, type ReaderPosition } from '../wire/last-event-id.js';
import { isReserved } from '../wire/room-names.js';
import { coverOf, wholeCoverOf } from './room-cover.js';

/** What the ids of a connection say beside its positions. Most connections have none. */
export interface TailOptions {
  /** Whether all ids say it, or one when it changes: a client of this library keeps it. */
  readonly isOnAll: boolean;
  /** Whether the client has been told what it is now. */
  isTold?: boolean;
  /** The key under which the log has the rooms of the stream, if they can change. */
  readonly key?: string | undefined;
  /** What all ids begin with. The rooms are then not said: an id has no room for both. */
  readonly prefix?: string;
  /** Whether they have changed. */
  hasChanged?: boolean;
  /** Up to here, the rooms may have lost events, as the client was told. */
  lostUpTo?: Position | undefined;
  /**
   * The newest cover, and the rooms that it is of: it is on every id, and to make it takes hashes.
   */
  cover?: { readonly text: string; readonly of: readonly string[] };
}

interface Source {
  readonly rooms: readonly string[];
  readonly position: ReaderPosition | undefined;
  readonly isJoining?: boolean;
  readonly joined?: readonly string[];
  readonly label?: string | undefined;
}

/**
 * The text of the tail of a connection that reads these sources.
 * @param room how long it may be. If it is longer, it does not say where events may be lost.
 */
export function tailOf(
  tail: TailOptions | undefined,
  joining: Source | undefined,
  sources: readonly Source[],
  room = Infinity,
): string {
  const { key, hasChanged = false, lostUpTo, prefix } = tail ?? {};
  if (prefix !== undefined) return '';
  const cover = tail && coverIn(tail, joining, sources);
  const all = { joining: joining && joiningOf(joining), cover, key, hasChanged };
  const text = formatTail({ ...all, lostUpTo });
  return lostUpTo === undefined || text.length <= room ? text : formatTail(all);
}

function coverIn(
  tail: TailOptions,
  joining: Source | undefined,
  sources: readonly Source[],
): string {
  const [only, ...others] = sources;
  const of = only === undefined || others.length > 0 ? undefined : only.rooms;
  if (of !== undefined && tail.cover?.of === of) return tail.cover.text;
  const text = coverOf(coveredRooms(sources, joining));
  if (of !== undefined) tail.cover = { text, of };
  return text;
}

/** The app's rooms that the cursors are about. */
function coveredRooms(sources: readonly Source[], joining: Source | undefined): string[] {
  const settled = sources.filter(({ isJoining }) => isJoining !== true);
  const isCovered = (room: string): boolean =>
    !isReserved(room) && joining?.joined?.includes(room) !== true;
  return [...new Set(settled.flatMap(({ rooms }) => rooms))].filter(isCovered);
}

/** How far the client is in rooms that join; at 0 if it has nothing of them yet. */
function joiningOf({ position: at, rooms, label }: Source): IdTail['joining'] {
  const { epoch = '', position = 0 } = at ?? {};
  const own = rooms.filter((room) => !isReserved(room));
  return { cursor: { epoch, position }, cover: label ?? wholeCoverOf(own) };
}
