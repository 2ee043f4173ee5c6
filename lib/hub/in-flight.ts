import type { HubEvent } from '../log/event.js';
import { parseCursor, type Position } from '../wire/cursor.js';
import type { ReaderPosition } from '../wire/last-event-id.js';

/** The most positions that are remembered. Beyond it, the oldest are forgotten. */
const MAX_REMEMBERED = 1_000;

/**
 * The positions of a subscription's events that are inside the handler's operators. Operators may
 * delay, change, reorder or drop events. Remembers positions only, never events. All positions are
 * of one epoch.
 */
export class InFlight {
  /**
   * The last position that came out, or from which the client resumed. It may return with this one.
   */
  lastOut: Position | undefined;
  /** The newest event in flight, and those before it. */
  private newest: Position | undefined;
  private newestId: string | undefined;
  private older: Position[] | undefined;

  /** The log has a new epoch, so the old positions are of no use. */
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
   * The position for the client's cursor, never beyond an event in flight. An operator may hold an
   * event back or drop it, and this cannot be distinguished. So the cursor stays at the last event
   * that came out until a later one does.
   * @param reached everything up to here went in
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
      // When a forgotten event comes out, the client's cursor does not move. The event may be
      // replayed, but is never lost.
      if (this.older.length > MAX_REMEMBERED) this.older.shift();
    }
    this.newest = position;
    this.newestId = id;
  }

  holds(id: string): boolean {
    return (this.newestId !== undefined && this.newestId === id) || this.indexOf(id) >= 0;
  }

  /**
   * Moves the cursor to this event, and so past all earlier ones: those were dropped, or come out
   * later.
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

  /** Events up to this one went to the client, without operators between. */
  passed(position: Position): void {
    this.lastOut = position;
    this.clear();
  }

  /** Searches the older events. They are of the same epoch as the newest. */
  private indexOf(id: string): number {
    if (this.older === undefined || this.newestId === undefined) return -1;
    // The id of an event never holds the cursors of several hubs.
    const cursor = parseCursor(id);
    if (cursor === undefined || cursor.epoch !== parseCursor(this.newestId)?.epoch) return -1;
    return this.older.indexOf(cursor.position);
  }
}
