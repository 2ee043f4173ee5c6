import type { Position } from '../wire/cursor.js';
import { bodySize } from './large-event.js';
import type { RoomEntry, RoomsRange, RoomState } from './event-log.js';

/** The kept events of a room after some position, without a copy. */
export interface RoomView {
  readonly last: Position;
  readonly length: number;
  at(index: number): RoomEntry | undefined;
}

/**
 * The most entries that one read may look at, so that a client with many busy rooms cannot block
 * the process.
 */
const MAX_LOOKS = 50_000;

/** Selects the entries of these rooms that fit the limits of the range. */
export function fitting(rooms: readonly RoomView[], range: RoomsRange): RoomState[] {
  const [only] = rooms;
  const budget = new Budget(range, rooms.length > 1);
  // The common case, and at a return of all clients once for each of them.
  if (only !== undefined && rooms.length === 1) return [stateOf(only, budget.take(only, 1))];
  const states: RoomState[] = [];
  const smallestFirst = [...rooms.keys()].sort((a, b) => lengthOf(rooms[a]) - lengthOf(rooms[b]));
  for (const [done, n] of smallestFirst.entries()) {
    const room = rooms[n];
    if (room === undefined) continue;
    const entries = budget.take(room, range.newest ? rooms.length - done : 1);
    states[n] = stateOf(room, entries);
  }
  return states;
}

function stateOf({ last, length }: RoomView, entries: RoomEntry[]): RoomState {
  return { last, entries, isWhole: entries.length === length };
}

/** What is left of a range's limits. An event of several rooms counts once. */
class Budget {
  /** Events of one room alone are different ones. */
  private readonly seen: Set<Position> | undefined;
  private isUntouched = true;
  private readonly newest: boolean;
  private events: number;
  private bytes: number;
  private looks = MAX_LOOKS;

  constructor({ maxEvents, maxBytes, newest = false }: RoomsRange, hasSeveralRooms: boolean) {
    if (hasSeveralRooms) this.seen = new Set();
    this.events = maxEvents;
    this.bytes = maxBytes;
    this.newest = newest;
  }

  /** @param shares how many rooms, this one included, still need a share of the limits */
  take(room: RoomView, shares: number): RoomEntry[] {
    const entries: RoomEntry[] = [];
    let events = Math.ceil(this.events / shares);
    let bytes = this.bytes / shares;
    for (let n = 0; n < room.length && this.looks-- > 0; n++) {
      const entry = room.at(this.newest ? room.length - 1 - n : n);
      if (entry === undefined) break;
      const { position } = entry.event;
      if (this.seen?.has(position) !== true) {
        const size = bodySize(entry.event);
        // One event always fits, or a reader of pages would never get past it.
        if (events < 1 || (size > bytes && !this.isUntouched)) break;
        events--;
        bytes -= size;
        this.events--;
        this.bytes -= size;
        this.seen?.add(position);
        this.isUntouched = false;
      }
      entries.push(entry);
    }
    return this.newest ? entries.reverse() : entries;
  }
}

function lengthOf(room: RoomView | undefined): number {
  return room?.length ?? 0;
}
