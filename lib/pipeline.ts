import type { Position } from './cursor.js';
import type { HubEvent } from './event.js';

/** How many events inside a handler's operators are told apart. */
const MAX_REMEMBERED = 1_000;

/**
 * The operators that a handler has put behind a stream, as seen from outside: events go in, and come out later, changed, in
 * another order or not at all.
 */
export class Pipeline {
  /** The last position that came out, or where the client stood before; it may go on from there. */
  left: Position | undefined;
  /** The newest event that has gone in and not come out, and those before it. */
  private newest: HubEvent | undefined;
  private older: HubEvent[] | undefined;

  get isEmpty(): boolean {
    return this.newest === undefined;
  }

  enter(event: HubEvent): void {
    if (this.newest !== undefined) {
      this.older ??= [];
      this.older.push(this.newest);
      // One that is forgotten does not move the client on when it comes out: it may be replayed, never lost.
      if (this.older.length > MAX_REMEMBERED) this.older.shift();
    }
    this.newest = event;
  }

  holds(id: string): boolean {
    return this.newest?.id === id || (this.older?.some((event) => event.id === id) ?? false);
  }

  /** Those before it were dropped, or come out after it: the client's cursor has passed them either way. */
  cameOut(id: string): void {
    if (this.newest?.id === id) {
      this.left = this.newest.position;
      this.newest = undefined;
      this.older = undefined;
      return;
    }
    const index = this.older?.findIndex((event) => event.id === id) ?? -1;
    this.left = this.older?.[index]?.position ?? this.left;
    this.older?.splice(0, index + 1);
  }
}
