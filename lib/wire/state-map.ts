/** An event as a client has parsed it. */
interface ReceivedEvent {
  readonly type: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

/** The data of `sse-state` (`rooms`, `entries`), `sse-set` and `sse-delete` (`room`, `key`). */
export interface StateEventData {
  readonly rooms: readonly string[];
  /** How many `sse-set` of `rooms` follow. */
  readonly entries: number;
  readonly room: string;
  readonly key: string;
  readonly value: unknown;
}

/** What an event changed. `state`: any entry may be another one, or gone. */
export interface StateMapChange {
  readonly kind: 'set' | 'delete' | 'state';
  /** The key and the value of the entry that was set; the key of one that was deleted. */
  readonly key?: string;
  readonly value?: unknown;
}

/** A state whose entries have not all arrived. */
interface Incoming {
  readonly rooms: readonly string[];
  readonly entries: Map<string, unknown>;
  left: number;
}

/** Whether a client reads the event by `StateMap.receive()`. */
export function isStateEvent(type: string): boolean {
  return /^sse-(state|set|delete)$/.test(type);
}

/**
 * The entries of one state room, from the events that a client receives. A new state replaces the
 * old one only when it is whole. If the connection breaks before, the client returns with its old
 * cursor, to which the old entries belong: it gets either what changed since or a whole state.
 */
export class StateMap extends Map<string, unknown> {
  /** Whether the map has what the room has: after a whole state, or the first change. */
  isWhole = false;
  private incoming: Incoming | undefined;

  constructor(private readonly room: string) {
    super();
  }

  /** Takes an event of one of the three types. Returns what it changed in the map, if anything. */
  receive({ type, data, id }: ReceivedEvent): StateMapChange | undefined {
    const { rooms, entries, room, key, value } = data as StateEventData;
    const isSet = type === 'sse-set';
    if (type === 'sse-state') {
      if (rooms.includes(this.room)) {
        this.incoming = { rooms, entries: new Map(), left: entries };
      }
    } else if (isSet && id === undefined && this.incoming?.rooms.includes(room)) {
      this.incoming.left--;
      if (room === this.room) this.incoming.entries.set(key, value);
    } else if (room === this.room && (this.isWhole || !this.incoming)) {
      // A room that never had an entry sends no state.
      this.isWhole = true;
      if (isSet) this.set(key, value);
      else if (!this.delete(key)) return undefined;
      return { kind: isSet ? 'set' : 'delete', key, value };
    }
    if (this.incoming?.left !== 0) return undefined;
    this.replace(this.incoming.entries);
    this.drop();
    return { kind: 'state' };
  }

  /** Replaces all entries. */
  replace(entries: Iterable<readonly [string, unknown]>): void {
    this.clear();
    for (const [key, value] of entries) this.set(key, value);
    this.isWhole = true;
  }

  /** The connection has broken: forgets a state that is not whole. */
  drop(): void {
    this.incoming = undefined;
  }
}
