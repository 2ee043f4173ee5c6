import type { Hub } from '../hub/hub.js';
import { firstOf } from './first-of.js';
import { matcher, type Look } from './look.js';
import type { InspectedRoom, InspectedRooms } from './state.js';

/**
 * At most this many rooms of a hub are counted per second. Counting the readers of one room takes
 * 0.3 µs, so all of them block the app for about 6 ms.
 */
const MAX_LOOKED_AT = 20_000;

/** The rooms of this process as one page looks at them. */
export class RoomList {
  private listed: readonly InspectedRoom[] = [];
  private lookedUpTo = 0;

  list(
    hubs: Iterable<Hub>,
    { search }: Look,
    max: number,
    ratesOf: (hub: string) => ReadonlyMap<string, number> | undefined,
  ): InspectedRooms {
    const isFound = search === '' ? () => true : matcher(search);
    let count = 0;
    let unseen = 0;
    const looked = [...hubs].flatMap((hub) => {
      const read = hub.rooms();
      const rates = ratesOf(hub.name) ?? new Map<string, number>();
      const names = new Set([...rates.keys(), ...this.toLookAt(hub.name, read)]);
      const rooms = [...names].map((name) => ({
        hub: hub.name,
        name,
        connections: hub.size(name),
        eventsPerSecond: rates.get(name) ?? 0,
      }));
      const seen = rooms.filter((room) => room.connections + room.eventsPerSecond > 0);
      const unread = seen.filter(({ connections }) => connections === 0).length;
      count += read.length + unread;
      unseen += read.length + unread - seen.length;
      return seen.filter(({ name }) => isFound(name));
    });
    const list = firstOf(
      looked,
      max,
      (one, other) =>
        other.eventsPerSecond - one.eventsPerSecond || other.connections - one.connections,
    );
    this.listed = list;
    // What a search has not looked at may not match.
    const found = search === '' ? looked.length + unseen : looked.length;
    return { count, found, list, leftOut: found - list.length };
  }

  /**
   * The rooms to count now. If a hub has too many: the rooms of the last list, and the next part of
   * the others.
   */
  private toLookAt(hub: string, names: readonly string[]): Iterable<string> {
    if (names.length <= MAX_LOOKED_AT) return names;
    const from = this.lookedUpTo % names.length;
    this.lookedUpTo = from + MAX_LOOKED_AT;
    const before = this.listed.filter((room) => room.hub === hub).map(({ name }) => name);
    return [...before, ...names.slice(from, this.lookedUpTo)];
  }
}
