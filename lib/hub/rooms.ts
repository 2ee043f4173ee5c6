import { SseInvalidFieldError } from '../ground/errors.js';
import { isWellFormed } from '../ground/well-formed.js';

/** Longer names cost memory in every index and log. */
export const MAX_ROOM_LENGTH = 256;

/** Carries what processes tell each other over a hub. No stream reads it. */
export const CONTROL_ROOM = 'sse:control';

/**
 * The rooms of a call as a list without doubles.
 * @throws SseInvalidFieldError for a name that is not a text of 1 to 256 characters, for one with a lone surrogate, and for
 * `sse:control`
 */
export function roomList(rooms: string | readonly string[]): string[] {
  const all = typeof rooms === 'string' ? [rooms] : rooms;
  const list = Array.isArray(all) ? [...new Set<string>(all)] : [];
  if (list.length === 0)
    throw new SseInvalidFieldError('room', rooms, 'expected at least one room');
  for (const room of list) {
    if (typeof room !== 'string' || room === '' || room.length > MAX_ROOM_LENGTH) {
      const remedy = `expected a name of 1 to ${MAX_ROOM_LENGTH} characters`;
      throw new SseInvalidFieldError('room', room, remedy);
    }
    // As UTF-8, which Redis has for its keys, all of these names would be one room.
    if (!isWellFormed(room)) {
      const remedy = 'must not hold a lone surrogate; encode it, e.g. with encodeURIComponent()';
      throw new SseInvalidFieldError('room', room, remedy);
    }
    if (room === CONTROL_ROOM) {
      throw new SseInvalidFieldError(
        'room',
        room,
        'this one is the library’s own; name it otherwise',
      );
    }
  }
  return list;
}

/** Rooms and their members. A room exists while it has one. */
export class Rooms<Member> {
  private readonly members = new Map<string, Set<Member>>();

  join(rooms: readonly string[], member: Member): void {
    for (const room of rooms) {
      const members = this.members.get(room);
      if (members) members.add(member);
      else this.members.set(room, new Set([member]));
    }
  }

  leave(rooms: readonly string[], member: Member): void {
    for (const room of rooms) {
      const members = this.members.get(room);
      if (members?.delete(member) && members.size === 0) this.members.delete(room);
    }
  }

  /** Everybody in at least one of the rooms, once. Later joins do not change the answer. */
  membersOf(rooms: readonly string[]): Member[] {
    const [first, ...others] = rooms.flatMap((room) => this.members.get(room) ?? []);
    if (first === undefined) return [];
    if (others.length === 0) return [...first];
    const union = new Set(first);
    for (const members of others) for (const member of members) union.add(member);
    return [...union];
  }

  names(): string[] {
    return [...this.members.keys()];
  }

  size(room: string): number {
    return this.members.get(room)?.size ?? 0;
  }
}
