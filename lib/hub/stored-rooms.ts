import { wholeCoverOf } from '../connection/room-cover.js';
import { SseConflictError } from '../ground/errors.js';
import { parseCursor, type Cursor, type Position } from '../wire/cursor.js';
import { HubState, type StateHub } from './state.js';
import type { StateRoom } from './state-room.js';

/** What the log has of a stream whose rooms have changed. */
export interface StoredRooms {
  readonly epoch: string;
  /** The rooms that the route asked for when the stream was opened last. */
  readonly asked: readonly string[];
  /** The rooms in force, and after which position their events are owed. */
  readonly since: ReadonlyMap<string, Position>;
}

interface Value {
  readonly asked: readonly string[];
  /** `JOINS_NOW` for the position of the entry itself, which is not known when it is written. */
  readonly rooms: Readonly<Record<string, Position>>;
  /** The rooms are those that the route asks for: only the connection has changed. */
  readonly isUnchanged?: boolean;
}

/** No log returns it: entries have positions. */
const NOWHERE = { epoch: '', position: 0 };

export const JOINS_NOW = 0;
/** Before any position: the rooms that a stream was opened with. */
export const ALWAYS = 1;

const ENTRY = 'rooms';
/**
 * By then a process has noticed the end of a connection. Not longer, because anybody can make up
 * keys.
 */
const UNCHANGED_TTL_MS = 60_000;
/** Each try that fails is a change by another connection. */
const MAX_TAKES = 5;
const NO_ROOMS: ReadonlyMap<string, Position> = new Map();

/**
 * The rooms of a stream in the log: an entry of a state room of its own. Only the connection that
 * wrote it last, or read it last, can change it.
 */
export class RoomStore {
  private readonly room: StateRoom<Record<string, Value>>;
  /** The position of the entry; `undefined` if there is none. */
  private position: string | undefined;

  /**
   * @param user whose connection it is: the key is in ids, which apps pass on, so that of another
   * user is of no use
   */
  constructor(
    hub: StateHub,
    key: string,
    user: string | undefined,
    private readonly ttlMs: number,
  ) {
    const owner = user === undefined ? '' : `.${wholeCoverOf([user])}`;
    this.room = new HubState(hub, `sse:stream:${key}${owner}`);
  }

  /**
   * Reads the rooms, and writes that this connection goes on with the stream. So a change by an
   * older one, whose end its process has not noticed, is either in what was read, or refused.
   */
  async take(): Promise<StoredRooms | undefined> {
    for (let tries = 1; ; tries++) {
      const stored = await this.read();
      try {
        await this.write(stored?.asked ?? [], stored?.since ?? NO_ROOMS, stored === undefined);
        return stored;
      } catch (error) {
        if (!(error instanceof SseConflictError) || tries === MAX_TAKES) throw error;
      }
    }
  }

  private async read(): Promise<StoredRooms | undefined> {
    const entry = await this.room.get(ENTRY);
    const at = entry && parseCursor(entry.position);
    if (entry === undefined || at === undefined) return undefined;
    this.position = entry.position;
    if (entry.value.isUnchanged === true) return undefined;
    const rooms = Object.entries(entry.value.rooms);
    const since = new Map(
      rooms.map(([room, position]): [string, Position] => [
        room,
        position === JOINS_NOW ? at.position : position,
      ]),
    );
    return { epoch: at.epoch, asked: entry.value.asked, since };
  }

  /**
   * Writes the rooms, with 0 for those that join now. Resolves with the cursor after which their
   * events are owed.
   * @throws SseConflictError if another connection goes on with the stream
   */
  async write(
    asked: readonly string[],
    rooms: ReadonlyMap<string, Position>,
    isUnchanged = false,
  ): Promise<Cursor> {
    const value: Value = {
      asked,
      rooms: Object.fromEntries(rooms),
      ...(isUnchanged && { isUnchanged }),
    };
    const { position: ifPosition } = this;
    const ttlMs = isUnchanged ? Math.min(this.ttlMs, UNCHANGED_TTL_MS) : this.ttlMs;
    const condition = ifPosition === undefined ? { ifAbsent: true } : { ifPosition };
    try {
      this.position = await this.room.set(ENTRY, value, { ...condition, ttlMs });
    } catch (error) {
      // A log that has lost it has no other connection's either.
      const isGone = error instanceof SseConflictError && error.position === undefined;
      if (!isGone || ifPosition === undefined) throw error;
      this.position = await this.room.set(ENTRY, value, { ifAbsent: true, ttlMs });
    }
    const { epoch, position } = parseCursor(this.position) ?? NOWHERE;
    return { epoch, position };
  }
}
