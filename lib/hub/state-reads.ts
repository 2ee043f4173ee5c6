import type { RoomEntries } from '../log/entries.js';
import type { EventLog } from '../log/event-log.js';
import type { Cursor } from '../wire/cursor.js';

/** Reads the entries of rooms. Clients that come at the same time share a read. */
export class StateReads {
  private readonly coming = new Map<string, Promise<RoomEntries | undefined>>();

  constructor(private readonly log: EventLog) {}

  /** The entries of a room at this position or later; `undefined` if it never had one. */
  async read(room: string, { epoch, position }: Cursor): Promise<RoomEntries | undefined> {
    const shared = this.coming.get(room);
    if (shared !== undefined) {
      const state = await shared;
      // mutant: a state from before the client came
      if (state?.epoch === epoch && state.position >= position) return state;
    }
    // A read that is under way now began after the call. Without that, as many clients of a room
    // without entries would need as many reads, one after the other.
    return this.coming.get(room) ?? this.begin(room);
  }

  private begin(room: string): Promise<RoomEntries | undefined> {
    const read = this.log.entries(room);
    this.coming.set(room, read);
    const end = (): void => {
      if (this.coming.get(room) === read) this.coming.delete(room);
    };
    read.then(end, end);
    return read;
  }
}
