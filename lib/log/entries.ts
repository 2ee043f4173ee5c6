import type { Cursor, Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import type { LoggedEvent } from './event.js';

/**
 * A change to the entry of a room, which is appended together with the event that tells readers of
 * it.
 * @publicApi
 */
export interface EntryChange {
  /** A text of 1 to 512 characters. */
  readonly key: string;
  /** `set`: the event becomes the entry of the key. `delete`: the key has no entry any more. */
  readonly kind: 'set' | 'delete';
  /**
   * Makes the change only if the key has no entry (`absent`), or if its entry is the event at this
   * cursor. If not, `append()` rejects with `SseConflictError` and appends nothing.
   */
  readonly condition?: 'absent' | Cursor | undefined;
  /**
   * For `set`: when the entry ends, unless it was set again. The log then appends the event that
   * `end()` makes, which deletes the entry: once, whatever the number of processes.
   */
  readonly ttl?: EntryTtl | undefined;
}

/**
 * How long an entry lives, in milliseconds, and the event that ends it. Many entries share one.
 * @publicApi
 */
export interface EntryTtl {
  /** From when the entry is set. */
  readonly ms: number;
  /** Makes the event that deletes an entry: the same one at any time. */
  end(room: string, key: string): EntryEnd;
}

/**
 * The event that deletes an entry at the end of its ttl: a `NewEvent`.
 * @publicApi
 */
export interface EntryEnd {
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  readonly body: string;
  readonly entry: EntryChange;
}

/**
 * The entries of a room at one moment.
 * @publicApi
 */
export interface RoomEntries {
  readonly epoch: string;
  /** The head at that moment: later changes have higher positions. */
  readonly position: Position;
  /**
   * The event that set each entry, by ascending position. It may be older than what history keeps,
   * and of an earlier epoch.
   */
  readonly events: readonly (LoggedEvent & { readonly position: Position })[];
  /** Whether events of the room are known, kept or not, that changed no entry. */
  readonly hasPlain: boolean;
  /**
   * The position of the newest such event. If it was before the room's first entry, and is no
   * longer kept: the highest position that it can have had.
   */
  readonly lastPlain: Position;
}
