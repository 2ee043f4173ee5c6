import type { HubEvent } from '../log/event.js';
import { parseCursor, type Position } from '../wire/cursor.js';
import type { ReaderPosition } from '../wire/last-event-id.js';

/** How many events inside a handler's operators are told apart. */
const MAX_REMEMBERED = 1_000;

/**
 * What is inside the operators that a handler has put behind a stream. Events go in, and come out
 * later, changed, in another order or not at all. All of them are of one log. Only their positions
 * are remembered: an operator that holds an event holds its memory, this does not.
 */
export class InFlight {
  /**
   * The last position that came out, or where the client resumed; the client may go on from there.
   */
  lastOut: Position | undefined;
  /** The newest event that has gone in and not come out, and those before it. */
  private newest: Position | undefined;
  private newestId: string | undefined;
  private older: Position[] | undefined;

  /** The log is another one. The positions of this one lead nowhere any more. */
  restart(): void {
    this.lastOut = undefined;
    this.clear();
  }

  private clear(): void {
    this.newest = undefined;
    this.newestId = undefined;
    this.older = undefined;
  }

  get isEmpty(): boolean {
    return this.newest === undefined;
  }

  /**
   * The position that may be written as the client's: never beyond an event that went in and has
   * not come out. An operator may hold an event back or drop it; which of the two cannot be seen.
   * Until a later event comes out, the client stays where the last one did.
   * @param reached up to here everything went in
   */
  position(epoch: string, reached: Position, isCatchingUp: boolean): ReaderPosition {
    // mutant: cursor passes what an operator holds back
    const isHeld = isCatchingUp || !this.isEmpty;
    const position = isHeld ? this.lastOut : Math.max(reached, this.lastOut ?? 0);
    return { epoch, position, isHeld };
  }

  enter({ id, position }: HubEvent): void {
    if (this.newest !== undefined) {
      this.older ??= [];
      this.older.push(this.newest);
      // A forgotten event does not move the client on when it comes out: it may be replayed, never
      // lost.
      if (this.older.length > MAX_REMEMBERED) this.older.shift();
    }
    this.newest = position;
    this.newestId = id;
  }

  holds(id: string): boolean {
    return (this.newestId !== undefined && this.newestId === id) || this.indexOf(id) >= 0;
  }

  /**
   * Events before it were dropped, or come out after it: the client's cursor has passed them either
   * way.
   */
  cameOut(id: string): void {
    if (this.newestId !== undefined && this.newestId === id) {
      this.lastOut = this.newest;
      this.clear();
      return;
    }
    const index = this.indexOf(id);
    if (index < 0) return;
    this.lastOut = this.older?.[index];
    this.older?.splice(0, index + 1);
  }

  /** Among the older ones, which are of the same log as the newest. */
  private indexOf(id: string): number {
    if (this.older === undefined || this.newestId === undefined) return -1;
    // No event has an id with the cursors of several hubs.
    const cursor = parseCursor(id);
    if (cursor === undefined || cursor.epoch !== parseCursor(this.newestId)?.epoch) return -1;
    return this.older.indexOf(cursor.position);
  }
}
