import { SseConflictError } from '../ground/errors.js';
import type { StateRoom } from './state-room.js';
import type { RoomMember } from './presence.options.js';

/** The entry of a member in the roster of a room. Clients that watch get it. */
export interface RosterValue {
  readonly data?: unknown;
  readonly since: number;
  /** The addresses of the processes that the member is connected to. */
  readonly on: readonly string[];
}

export type Roster = StateRoom<Record<string, RosterValue>>;

/** The member as apps see it. */
export function memberOf(id: string, { data, since }: RosterValue): RoomMember {
  return data === undefined ? { id, since } : { id, data, since };
}

/**
 * Adds a process to the entry of a member. Resolves with whether the member joined: of several
 * processes that add themselves at the same time, one makes the entry. Resolves with `undefined` if
 * the lease has ended, because the process stood still: nobody would look under this address again.
 * @param own the address of the process
 * @param former an address that the process had, which is replaced
 * @param holds whether the lease lasts, asked before each try
 */
export async function addTo(
  roster: Roster,
  id: string,
  value: Omit<RosterValue, 'on'>,
  own: string,
  former: string | undefined,
  holds: () => Promise<boolean>,
): Promise<boolean | undefined> {
  // A process that had to take another address expects its entry to be there.
  let entry = former === undefined ? undefined : await roster.get(id);
  for (;;) {
    const known = entry?.value;
    if (known?.on.includes(own)) return false;
    if (!(await holds())) return undefined;
    const on = [...(known?.on ?? []).filter((address) => address !== former), own];
    // mutant: two processes make the entry of a member
    const condition = entry === undefined ? { ifAbsent: true } : { ifPosition: entry.position };
    if (await isSet(roster.set(id, { ...(known ?? value), on }, condition))) {
      return known === undefined;
    }
    entry = await roster.get(id);
  }
}

/**
 * Removes an address from the entry of a member. Resolves with the member if it left: of several
 * processes that remove the last addresses at the same time, one deletes the entry.
 */
export async function removeFrom(
  roster: Roster,
  id: string,
  address: string,
): Promise<RoomMember | undefined> {
  for (;;) {
    const entry = await roster.get(id);
    if (entry === undefined) return undefined;
    const { value, position } = entry;
    const on = value.on.filter((other) => other !== address);
    if (on.length === value.on.length && on.length > 0) return undefined;
    const condition = { ifPosition: position };
    // mutant: a process that leaves takes the others along
    if (on.length > 0) {
      if (await isSet(roster.set(id, { ...value, on }, condition))) return undefined;
    } else if (await isSet(roster.delete(id, condition))) return memberOf(id, value);
  }
}

/** Whether a change was made; false if its condition does not hold. */
async function isSet(change: Promise<string>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (error instanceof SseConflictError) return false;
    throw error;
  }
}
