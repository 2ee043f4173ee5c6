import type { Cursor, Position } from '../wire/cursor.js';
import type { EntryChange, RoomEntries } from './entries.js';
import type { LoggedEvent } from './event.js';

/**
 * An event to append: checked and encoded, but without a position yet.
 * @publicApi
 */
export interface NewEvent extends Pick<LoggedEvent, 'rooms' | 'message' | 'body' | 'except'> {
  /** Deliver it to followers only: it gets no position and is not kept. */
  readonly ephemeral?: boolean;
  /**
   * The idempotency key. A second event with the same key within 300 s is not appended; `append()`
   * resolves with the position of the first.
   */
  readonly key?: string;
  /** Also sets or deletes this entry of the room. Such an event has one room. */
  readonly entry?: EntryChange;
}

/**
 * The position that a log gave to an event.
 * @publicApi
 */
export interface Appended {
  readonly epoch: string;
  /**
   * `undefined` if nothing was kept: for an ephemeral event, and for the deletion of an entry that
   * does not exist.
   */
  readonly position: Position | undefined;
}

/**
 * The newest position of a log.
 * @publicApi
 */
export interface Head {
  /**
   * A random name for one lifetime of the log's store. A log that has lost events gets a new one.
   * At most 11 characters of `[A-Za-z0-9_-]`.
   */
  readonly epoch: string;
  /** The highest position so far. For an empty log: a position that no event will ever have. */
  readonly position: Position;
  /**
   * The `position` of the epoch before its first event. A last event ID with a lower position was
   * never issued, so its gap has the reason `unknown`. If a log omits it, the reason is `trimmed`.
   */
  readonly begin?: Position | undefined;
  /**
   * The number of entries in all rooms. `undefined` as long as no room has ever had one: readers
   * then never ask for entries.
   */
  readonly entries?: number | undefined;
}

/**
 * An event in one of its rooms.
 * @publicApi
 */
export interface RoomEntry {
  readonly event: LoggedEvent & { readonly position: Position };
  /**
   * The position of the previous event in this room, even if that event is no longer kept. For the
   * first event of a room: the room's `last` before it.
   */
  readonly previous: Position;
}

/**
 * The range to read in some rooms. All rooms share both limits. An event of several rooms counts
 * once.
 * @publicApi
 */
export interface RoomsRange {
  /** Only events with a higher position. */
  readonly after: Position;
  /** At most this many events. */
  readonly maxEvents: number;
  /** At most this many characters of wire text. A single event may be larger. */
  readonly maxBytes: number;
  /**
   * `true`: read the newest events of each room. Rooms share the limits evenly, and busy rooms get
   * what quiet rooms leave. `false`: read the oldest events, and serve the rooms with the fewest
   * events first.
   * @default false
   */
  readonly newest?: boolean;
}

/**
 * The result of reading one room.
 * @publicApi
 */
export interface RoomState {
  /**
   * The position of the newest event of the room, even if that event is no longer kept; 0 if there
   * never was one. A log that has forgotten a room returns the highest position that the room's
   * last event can have had.
   */
  readonly last: Position;
  /** By ascending position. */
  readonly entries: readonly RoomEntry[];
  /** Whether `entries` has all kept events of the range. */
  readonly isWhole: boolean;
}

/**
 * The result of reading some rooms at one moment.
 * @publicApi
 */
export interface RoomsRead {
  /** The epoch that was read. It differs from the head's if the log has changed in between. */
  readonly epoch: string;
  /** In the order of the requested rooms. */
  readonly rooms: readonly RoomState[];
}

/**
 * Why missed events of a room cannot be replayed.
 * - `trimmed`: the log has deleted some of them.
 * - `epoch`: the log was replaced, or its store may have lost some.
 * - `unknown`: the log does not know the client's last event ID, or cannot read an event.
 * - `overflow`: they are too many for one resume or for the client's backlog.
 * @publicApi
 */
export type GapReason = 'trimmed' | 'epoch' | 'unknown' | 'overflow';

/**
 * Rooms with a gap, and its reason.
 * @publicApi
 */
export interface Gap {
  readonly rooms: readonly string[];
  readonly reason: GapReason;
}

/**
 * Reads for one client: the caller calls `head()` first, and then `read(rooms, …)`. Events may be
 * appended and deleted between the calls.
 * @publicApi
 */
export interface EventLogReads {
  /**
   * Resolves with the head. Its position is at least that of every event appended before the call.
   */
  head(): Promise<Head>;

  /**
   * Reads all rooms at one moment. The cost is bounded by the limits of the range, however much the
   * rooms keep.
   */
  read(rooms: readonly string[], range: RoomsRange): Promise<RoomsRead>;
}

/**
 * The callbacks by which a hub follows a log. A log in the same process only calls `event`.
 * @publicApi
 */
export interface LogFollower {
  /**
   * Called for every event of the hub, from any process: once each, by ascending position, with
   * ephemeral events in between.
   */
  event(event: LoggedEvent): void;

  /** The rooms that this process reads. A log that missed notifications must re-read these. */
  rooms(): readonly string[];

  /**
   * Events of these rooms are lost. Called before any later event.
   * @param upTo the head up to which they are lost, whose `entries` say whether rooms may have a
   * state; absent if the log never has entries
   */
  lost(gap: Gap, upTo?: Head): void;

  /**
   * Everything up to this head was delivered, or reported as lost. A new epoch means that
   * everything before is lost.
   */
  caughtUp(head: Head): void;
}

/**
 * The log of one hub: gives events their positions and keeps them for returning clients. To
 * implement your own, follow this page, and test it with `eventLogContract()` of
 * `nestjs-eventstream/testing`.
 *
 * Calls may be slow, but must reject with `SSE_LOG_UNAVAILABLE` within 2 s instead of staying
 * pending. After `close()` they reject with `SSE_CLOSED`.
 * @publicApi
 */
export interface EventLog extends EventLogReads {
  /**
   * Appends one event to all its rooms atomically, and resolves with its position when it is kept.
   * - Positions strictly increase over all rooms and are never reused, not even after a lost write:
   *   `max(last + 1, the clock in microseconds)`.
   * - In every room the event stores the position of the previous event.
   * - If it rejects with `SSE_LOG_UNAVAILABLE`, the event may still have been kept. A `key` makes a
   *   second try safe.
   * - With `entry`, the event and the change of the entry are one atom. Entries are kept until they
   *   are deleted or end, whatever `history` says, and in every later epoch. Above `state.maxKeys`
   *   and `state.maxBytes` it rejects with `SseLimitError`; nothing else is dropped.
   */
  append(event: NewEvent): Promise<Appended>;

  /**
   * Resolves with all entries of a room at one moment, without those that have ended. `undefined`
   * if the room never had one, or if the log has forgotten that it did: it may, once the room has
   * neither entries nor kept events.
   */
  entries(room: string): Promise<RoomEntries | undefined>;

  /** Resolves with the event that set an entry; `undefined` if there is none. */
  entry(
    room: string,
    key: string,
  ): Promise<(LoggedEvent & { readonly position: Position }) | undefined>;

  /**
   * Starts delivering events to `follower`. Resolves with a head: the follower gets exactly the
   * events after it. Called once.
   */
  follow(follower: LogFollower): Promise<Head>;

  /**
   * The reads for a client at this cursor that will also get what the follower gets. They need not
   * know more than the follower does, so a remote log can answer them from local memory. The epoch
   * of the cursor is the one that the follower knows. Its position comes from the client, and may
   * be one that the log never issued.
   * @default the log itself
   */
  readsFor?(after: Cursor): EventLogReads;

  /** Why events currently do not reach this process; `undefined` if they do. */
  readonly trouble?: string | undefined;

  /**
   * Releases the resources of this process. The follower is not called afterwards. A second call
   * does nothing.
   */
  close(): Promise<void>;
}
