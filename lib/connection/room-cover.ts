import { createHash } from 'node:crypto';

/** 30 bits for each of a few rooms. */
const HASH = 5;
const MAX_LISTED = 8;
/** 48 bits for all rooms of a stream that has more. */
export const WHOLE_HASH = 8;

/**
 * Which rooms a last event ID is about, in at most 40 characters: a hash for each room, or one for
 * all of them if they are many.
 */
export function coverOf(rooms: readonly string[]): string {
  if (rooms.length > MAX_LISTED) return wholeCoverOf(rooms);
  return rooms.map((room) => hash(room, HASH)).join('');
}

/** One hash for all rooms, in any order. */
export function wholeCoverOf(rooms: readonly string[]): string {
  return hash([...rooms].sort().join('\n'), WHOLE_HASH);
}

/**
 * The rooms that a cover does not have. `undefined` if that cannot be said: the rooms were many,
 * and are not the same any more.
 */
export function roomsOutside(cover: string, rooms: readonly string[]): string[] | undefined {
  if (cover.length === WHOLE_HASH) return cover === wholeCoverOf(rooms) ? [] : undefined;
  const known = new Set(cover.match(/.{5}/g));
  return rooms.filter((room) => !known.has(hash(room, HASH)));
}

function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, length);
}
