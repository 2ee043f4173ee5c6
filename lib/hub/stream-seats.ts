import type { Stream } from '../connection/stream.js';
import type { Seat } from './presence.js';
import type { StreamCall } from './stream-call.js';

/** The rooms of a stream in which its client is a member, each with a seat of its own. */
export class StreamSeats {
  private readonly seats = new Map<string, Seat>();

  constructor(
    private readonly call: StreamCall,
    private readonly connection: Stream,
  ) {}

  /** @throws SseOptionsError for a wrong member; what `member` throws */
  take(rooms: readonly string[]): void {
    const { hub, options } = this.call;
    if (options.presence === undefined) return;
    for (const room of rooms) {
      const seat = hub.presence.take(options.presence, [room], this.connection);
      if (seat !== undefined) this.seats.set(room, seat);
    }
  }

  /** At once: the client is still there, and has left the room. */
  leave(room: string): void {
    this.seats.get(room)?.leave();
    this.seats.delete(room);
  }

  /** The connection has ended. */
  end(): void {
    for (const seat of this.seats.values()) seat.unsubscribe();
  }
}
