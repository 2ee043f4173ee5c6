import type { Cursor, Position } from '../wire/cursor.js';
import type { LoggedEvent } from './event.js';
import type { HistoryOptions } from './history.options.js';
import type { Serialize, SseMessage } from '../wire/frame.js';

/**
 * An event on its way into a log: checked and encoded, without a position.
 * @publicApi
 */
export interface NewEvent {
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  /** The wire text without its id and the blank line at its end. */
  readonly body: string;
  /** For those who are there now: it gets no position and is not kept. */
  readonly ephemeral?: boolean;
  /**
   * A second event with the same key within 300 s is not appended; the first one is answered again.
   */
  readonly key?: string;
}

/**
 * The place of an event in a log.
 * @publicApi
 */
export interface Appended {
  readonly epoch: string;
  /** `undefined` for an ephemeral event. */
  readonly position: Position | undefined;
}

/**
 * Where a log stands.
 * @publicApi
 */
export interface Head {
  /**
   * Names the lifetime of the log: random, new when what it held is gone. At most 11 of
   * `[A-Za-z0-9_-]`.
   */
  readonly epoch: string;
  /** The highest position given so far; of an empty log, one that no event will get. */
  readonly position: Position;
  /**
   * Where the epoch began: its `position` before its first event. A last event ID with a lower
   * position was never given out, so it is `unknown`. A log that leaves it out tells a client with
   * such an ID that events are `trimmed`.
   */
  readonly begin?: Position | undefined;
}

/**
 * An event as one of its rooms keeps it.
 * @publicApi
 */
export interface RoomEntry {
  readonly event: LoggedEvent & { readonly position: Position };
  /**
   * The position of the event before it in this room, kept or not; for the first of a room its
   * `last` before.
   */
  readonly previous: Position;
}

/**
 * What to read of some rooms. Both limits are shared by all rooms; an event of several rooms counts
 * once.
 * @publicApi
 */
export interface RoomsRange {
  /** Only events with a higher position. */
  readonly after: Position;
  /** At most this many events. */
  readonly maxEvents: number;
  /** At most this many characters of wire text; a single event may be larger. */
  readonly maxBytes: number;
  /**
   * `true`: the newest events of each room. The limits are then shared evenly, and what a quiet
   * room leaves goes to the others. `false`: the oldest events, and the rooms with the fewest come
   * first.
   * @default false
   */
  readonly newest?: boolean;
}

/**
 * One room as it was read.
 * @publicApi
 */
export interface RoomState {
  /**
   * The position of the newest event of the room, also when that event is not kept any more; 0 if
   * there never was one. A log that has forgotten a room answers the highest position that the
   * room's last event may have had.
   */
  readonly last: Position;
  /** In the order of positions. */
  readonly entries: readonly RoomEntry[];
  /** Whether `entries` are all kept events of the range. */
  readonly isWhole: boolean;
}

/**
 * Some rooms as they were at one moment.
 * @publicApi
 */
export interface RoomsRead {
  /** The log that was read: another one than that of the head if the log has changed in between. */
  readonly epoch: string;
  /** In the order in which the rooms were asked for. */
  readonly rooms: readonly RoomState[];
}

/**
 * Why events of a room cannot be replayed. `trimmed`: the log has let go of them. `epoch`: the log
 * is a new one, or its store may have lost some. `unknown`: the client's last event ID says nothing
 * to the log, or an event cannot be read. `overflow`: they are too many at once.
 * @publicApi
 */
export type GapReason = 'trimmed' | 'epoch' | 'unknown' | 'overflow';

/**
 * Rooms with a gap, and why.
 * @publicApi
 */
export interface Gap {
  readonly rooms: readonly string[];
  readonly reason: GapReason;
}

/**
 * Reading for a client at `after` goes: `head()`, then `read(rooms, …)`, in this order; events may
 * be appended and trimmed between the calls.
 * @publicApi
 */
export interface EventLogReads {
  /** The head: every event that was appended before the call has a position up to it. */
  head(): Promise<Head>;

  /**
   * Reads all rooms at one moment. Costs no more than the limits of the range allow, however much
   * the rooms keep.
   */
  read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead>;
}

/**
 * What a log hands to the hub that follows it. A log that is in this process calls `event` alone.
 * @publicApi
 */
export interface LogFollower {
  /**
   * Every event of the hub, whoever appended it: once each and in the order of positions, ephemeral
   * ones in between.
   */
  event(event: LoggedEvent): void;

  /**
   * The rooms that are read here: those that a log which missed notifications has to look through.
   */
  rooms(): readonly string[];

  /**
   * Events of these rooms cannot be handed on any more; called before anything that came after
   * them.
   */
  lost(gap: Gap): void;

  /**
   * Everything up to here was handed on or told as lost. With another epoch than before: all that
   * was is lost.
   */
  caughtUp(head: Head): void;
}

/**
 * Where the events of one hub get their position and are kept. Whoever implements it needs nothing
 * but this page, and can show it with the contract suite in `nestjs-eventstream/testing`.
 *
 * Every call may be slow; each rejects with `SSE_LOG_UNAVAILABLE` within 2 s rather than leaving
 * its promise pending, and with `SSE_CLOSED` after `close()`.
 * @publicApi
 */
export interface EventLog extends EventLogReads {
  /**
   * Appends one event to all its rooms at once, and resolves with its place when it is kept.
   * - Positions strictly increase over all rooms and are never used again, not even after a lost
   *   write: `max(last + 1, the clock in microseconds)`.
   * - In every room the event remembers the position of the one before it.
   * - When it rejects with `SSE_LOG_UNAVAILABLE`, the event may still have been kept; a `key` makes
   *   a second try safe.
   */
  append(event: NewEvent): Promise<Appended>;

  /**
   * Starts handing events to `follower`. Resolves with a head: the follower gets exactly what comes
   * after it. Called once.
   */
  follow(follower: LogFollower): Promise<Head>;

  /**
   * For a client at this cursor that also gets what the follower gets from now on. These reads need
   * not know more than the follower does, so a log elsewhere can answer them from here. The epoch
   * of the cursor is the one that the follower knows; its position comes from the client, and may
   * be one that the log never gave.
   * @default the log's own
   */
  readsFor?(after: Cursor): EventLogReads;

  /** Why events do not reach this process now; `undefined` while they do. */
  readonly trouble?: string | undefined;

  /**
   * Frees what this process holds; the follower is not called afterwards. A second call does
   * nothing.
   */
  close(): Promise<void>;
}

/**
 * Makes the log of a hub.
 * @publicApi
 */
export type EventLogFactory = (hub: {
  /** `''` is the default hub. */
  readonly name: string;
  readonly history: Required<HistoryOptions>;
  /** How the hub's data becomes text instead of JSON. */
  readonly serialize?: Serialize | undefined;
}) => EventLog;
