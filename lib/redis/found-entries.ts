import type { RoomEntries } from '../log/entries.js';
import { entryOf, type EntryPage, type StoredValue } from './entry-reply.js';
import type { StoredEvent } from '../log/event-text.js';

/**
 * The entries of a room, from pages by ascending position. Together these are the state at the last
 * page, although the room changes in between:
 * - An entry of that state is on a page. If its page had been read before it was set, its position
 *   would be higher than all positions of that page, so it would be on a later page.
 * - An entry that was set again is on a later page as well, which replaces it.
 * - The last page names the keys that were deleted since the first. If the list of these has
 *   forgotten one, more entries are found than the room has: the number of entries proves that
 *   there is nothing else.
 */
export class FoundEntries {
  /** By ascending position. `undefined` for an event that cannot be decoded. */
  private readonly byKey = new Map<string, StoredEvent | undefined>();
  private readonly dueAt = new Map<string, number>();
  private epoch = '';

  constructor(private readonly decode: (value: StoredValue) => StoredEvent | undefined) {}

  /** Returns false for a value that is not one of an entry. */
  add({ keys, values }: EntryPage): boolean {
    for (const [n, key] of keys.entries()) {
      const value = entryOf(values[n] ?? '', this.epoch);
      if (value === undefined) return false;
      this.epoch = value.epoch;
      this.remove(key);
      this.byKey.set(key, this.decode(value));
      if (value.dueAt !== Infinity) this.dueAt.set(key, value.dueAt);
    }
    return true;
  }

  /** Call it with the last page. */
  stateAt({
    epoch,
    position,
    hasPlain,
    lastPlain,
    now,
    count,
    gone,
  }: EntryPage): RoomEntries | 'inconsistent' {
    for (const [key, deletedAt] of gone) {
      const event = this.byKey.get(key);
      if (event !== undefined && event.position < deletedAt) this.remove(key);
    }
    if (this.byKey.size !== count) return 'inconsistent';
    for (const [key, dueAt] of this.dueAt) if (dueAt <= now) this.remove(key);
    const events = [...this.byKey.values()].filter((event) => event !== undefined);
    return { epoch, position, events, hasPlain, lastPlain };
  }

  private remove(key: string): void {
    if (this.byKey.delete(key)) this.dueAt.delete(key);
  }
}
