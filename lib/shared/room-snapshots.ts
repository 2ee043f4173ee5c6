import type { RoomState } from '../client/room-state.js';
import { Listeners, NO_ENTRIES } from './store.js';

/** The entries of one state room, as a new map after each change. */
export class RoomSnapshots {
  readonly listeners = new Listeners();
  snapshot: ReadonlyMap<string, unknown>;
  private isCopied = true;

  constructor(private readonly state: RoomState) {
    // A room that others read has its entries already.
    this.snapshot = state.size === 0 ? NO_ENTRIES : new Map(state);
    void this.follow();
  }

  private async follow(): Promise<void> {
    try {
      const changes = this.state.changes[Symbol.asyncIterator]();
      while (!(await changes.next()).done) this.copyLater();
    } catch {
      // The stream has failed. Its status has the error.
    }
  }

  /** Once for all changes of a turn, because it costs as much as the room is large. */
  private copyLater(): void {
    if (!this.isCopied) return;
    this.isCopied = false;
    setTimeout(() => {
      this.isCopied = true;
      this.snapshot = new Map(this.state);
      this.listeners.notify();
    });
  }
}
