import { parseCursors, type Position } from '../wire/cursor.js';
import type { HubEvent } from '../log/event.js';

/** How many events inside a handler's operators are told apart. */
const MAX_REMEMBERED = 1_000;

/**
 * The operators that a handler has put behind a stream, as seen from outside: events go in, and come out later, changed, in
 * another order or not at all. All of them are of one log, and what is remembered of each is its place: an operator that holds an event
 * holds its memory, this does not.
 */
export class Pipeline {
  /** The last position that came out, or where the client stood before; it may go on from there. */
  left: Position | undefined;
  /** The newest event that has gone in and not come out, and those before it. */
  private newest: Position | undefined;
  private newestId: string | undefined;
  private older: Position[] | undefined;

  get isEmpty(): boolean {
    return this.newest === undefined;
  }

  enter({ id, position }: HubEvent): void {
    if (this.newest !== undefined) {
      this.older ??= [];
      this.older.push(this.newest);
      // One that is forgotten does not move the client on when it comes out: it may be replayed, never lost.
      if (this.older.length > MAX_REMEMBERED) this.older.shift();
    }
    this.newest = position;
    this.newestId = id;
  }

  holds(id: string): boolean {
    return (this.newestId !== undefined && this.newestId === id) || this.indexOf(id) >= 0;
  }

  /** Those before it were dropped, or come out after it: the client's cursor has passed them either way. */
  cameOut(id: string): void {
    if (this.newestId !== undefined && this.newestId === id) {
      this.left = this.newest;
      this.newest = undefined;
      this.newestId = undefined;
      this.older = undefined;
      return;
    }
    const index = this.indexOf(id);
    if (index < 0) return;
    this.left = this.older?.[index];
    this.older?.splice(0, index + 1);
  }

  /** Among the older ones, which are of the same log as the newest. */
  private indexOf(id: string): number {
    if (this.older === undefined || this.newestId === undefined) return -1;
    const [cursor, ...others] = parseCursors(id) ?? [];
    const [newest] = parseCursors(this.newestId) ?? [];
    // That of several hubs is the id of no event.
    if (cursor === undefined || others.length > 0 || cursor.epoch !== newest?.epoch) return -1;
    return this.older.indexOf(cursor.position);
  }
}
