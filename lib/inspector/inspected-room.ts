// What the panel of a room shows. Times are milliseconds since the Unix epoch.

/**
 * The last events of a room.
 * @publicApi
 */
export interface InspectedRoomEvents {
  /** When it was read. */
  readonly at: number;
  /** `false` if the hub keeps no history. Then there are no events to show. */
  readonly isKept: boolean;
  /** At most 20, oldest first. */
  readonly events: readonly InspectedEvent[];
  /** Send it as `after` to get the events since; `null` if the hub keeps no history. */
  readonly cursor: string | null;
  /**
   * Whether entries of the room may have changed since `after`. `false` if no room of the hub ever
   * had an entry.
   */
  readonly entriesChanged: boolean;
}

/**
 * One event of a room.
 * @publicApi
 */
export interface InspectedEvent {
  readonly id: string;
  readonly type: string | null;
  readonly at: number;
  /** The size of its wire text. */
  readonly bytes: number;
  /** As text, cut after 2 000 characters. */
  readonly data: string;
}

/**
 * The entries of a room.
 * @publicApi
 */
export interface InspectedRoomEntries {
  /** When they were read. */
  readonly at: number;
  /** The number of all entries of the room; 0 if it has none. */
  readonly count: number;
  /** At most 50, the most recently changed first. */
  readonly list: readonly InspectedEntry[];
}

/**
 * One entry of a room.
 * @publicApi
 */
export interface InspectedEntry {
  readonly key: string;
  /** The cursor of the event that set it. */
  readonly position: string;
  /** When it was last changed. */
  readonly at: number;
  /** The size of its value as JSON. */
  readonly bytes: number;
  /** As JSON, cut after 2 000 characters. */
  readonly value: string;
}
