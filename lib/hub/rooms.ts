import { SseInvalidFieldError } from '../ground/errors.js';
import { isWellFormed } from '../ground/well-formed.js';
import { isReserved } from '../wire/room-names.js';

/** Longer names would cost memory in every index and log. */
export const MAX_ROOM_LENGTH = 256;

/**
 * Returns the rooms of a call as a list without duplicates.
 * @throws SseInvalidFieldError for a name that is not a text of 1 to 256 characters, for a lone
 * surrogate, and for names that begin with `sse:`
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
    // Redis keys are UTF-8, where all such names would be one room.
    if (!isWellFormed(room)) {
      const remedy =
        'must not contain a lone surrogate; encode it, for example with JSON.stringify()';
      throw new SseInvalidFieldError('room', room, remedy);
    }
    if (isReserved(room)) {
      const remedy = 'names that begin with "sse:" are reserved for the library; choose another';
      throw new SseInvalidFieldError('room', room, remedy);
    }
  }
  return list;
}

/** The rooms and their members. A room exists while it has a member. */
export class Rooms<Member> {
  /**
   * A room with one member is stored without a `Set`, which would take six times as much memory.
   * Most rooms have one.
   */
  private readonly members = new Map<string, Member | Set<Member>>();

  join(rooms: readonly string[], member: Member): void {
    for (const room of rooms) {
      const members = this.members.get(room);
      if (members === undefined) this.members.set(room, member);
      else if (members instanceof Set) members.add(member);
      else if (members !== member) this.members.set(room, new Set([members, member]));
    }
  }

  leave(rooms: readonly string[], member: Member): void {
    for (const room of rooms) {
      const members = this.members.get(room);
      if (members === member) this.members.delete(room);
      else if (members instanceof Set && members.delete(member) && members.size === 0) {
        this.members.delete(room);
      }
    }
  }

  /** Everyone in at least one of the rooms, once. A copy, so later joins do not change it. */
  membersOf(rooms: readonly string[]): Member[] {
    const [only] = rooms;
    if (only !== undefined && rooms.length === 1) return [...this.each(only)];
    const union = new Set<Member>();
    for (const room of rooms) for (const member of this.each(room)) union.add(member);
    return [...union];
  }

  names(): string[] {
    return [...this.members.keys()];
  }

  size(room: string): number {
    const members = this.members.get(room);
    if (members instanceof Set) return members.size;
    return members === undefined ? 0 : 1;
  }

  private each(room: string): Iterable<Member> {
    const members = this.members.get(room);
    if (members instanceof Set) return members;
    return members === undefined ? [] : [members];
  }
}
