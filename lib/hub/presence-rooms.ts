/**
 * The state rooms of presence. Apps can neither change nor read them, except the rosters, which
 * come to clients that watch.
 * - `sse:presence:<room>`, the roster of a room: an entry per member, by its id.
 * - `sse:processes`: for each process with members, `live:<address>` is its lease, which ends soon
 *   after the process does, and `known:<address>` stays until its members were removed.
 * - `sse:held:<address>`: the names of the rooms in which a process has members.
 *
 * A process writes its lease first, then `known`, then the name of the room, then the member. So
 * what it held is found from either end when it dies.
 */
export const PROCESSES = 'sse:processes';

export const heldBy = (address: string): string => `sse:held:${address}`;

const LIVE = 'live:';
const KNOWN = 'known:';

export const liveKey = (address: string): string => LIVE + address;
export const knownKey = (address: string): string => KNOWN + address;

/** The address in the key of a lease; `undefined` for another key. */
export function addressIn(key: unknown): string | undefined {
  return typeof key === 'string' && key.startsWith(LIVE) ? key.slice(LIVE.length) : undefined;
}

/** The address in a key of a process that is known; `undefined` for another key. */
export function knownIn(key: unknown): string | undefined {
  return typeof key === 'string' && key.startsWith(KNOWN) ? key.slice(KNOWN.length) : undefined;
}

/** Which processes have a lease, and which are known to hold, or to have held, members. */
export function processesIn(entries: readonly { readonly key: string }[]): {
  live: Set<string>;
  known: Set<string>;
} {
  const live = new Set<string>();
  const known = new Set<string>();
  for (const { key } of entries) {
    if (key.startsWith(LIVE)) live.add(key.slice(LIVE.length));
    else if (key.startsWith(KNOWN)) known.add(key.slice(KNOWN.length));
  }
  return { live, known };
}
