import type { HubEvent } from '../log/event.js';
import type { Cursor, Position } from '../wire/cursor.js';

export type OfRooms = Pick<HubEvent, 'rooms' | 'position'>;

/**
 * What a subscription has to know if it is not all of its stream: rooms that join a stream catch up
 * in a subscription of their own, which is then merged into the first one.
 */
export interface StreamPart {
  /** Where its rooms begin, instead of the cursor that the client brought. */
  readonly begin: Beginning;
  /** Whether its rooms join while those of the first subscription go on. */
  readonly isJoining: boolean;
  /** Whether the client has the event, or does not get it at all. */
  leavesOut(event: OfRooms): boolean;
  /** Whether the event, and so all later ones, wait until the parts are one. */
  waits(event: OfRooms): boolean;
  /** Its position never passes this one. */
  limit?(): Position;
  /** Until then it only collects what comes. */
  readonly ready?: Promise<void> | undefined;
  /** It has read what there is up to this position; the rest comes live. */
  began?(at: Position): void;
  /** It has caught up, as far as it may. Called each time. */
  wentLive?(): void;
}

export interface Beginning {
  /** `undefined` for a new client. */
  readonly cursors: readonly Cursor[] | undefined;
  /** Whether the client also gets what a new one does: snapshot, `rewind`, state. */
  readonly isNew?: boolean;
  /** Names rooms that joined together, in ids; absent if their names do. */
  readonly label?: string | undefined;
}
