import type { HubEvent } from '../log/event.js';
import type { Position } from '../wire/cursor.js';
import { isStateChange } from '../wire/protocol.js';

/** The rooms whose state a client was given, and at which position. */
export class GivenState {
  /** Every change up to here of any of these rooms is in its state. */
  upTo: Position = 0;
  /** Characters of wire text of all entries, which may all be deleted while they are sent. */
  size = 0;
  private readonly rooms = new Map<string, { position: Position; size: number }>();

  give(room: string, position: Position, size: number): void {
    this.size += size - (this.rooms.get(room)?.size ?? 0);
    this.rooms.set(room, { position, size });
    this.upTo = Math.max(this.upTo, position);
  }

  /** Whether the event is a change that the state of its room holds. */
  has({
    type,
    position = Infinity,
    rooms: [room = ''],
  }: Pick<HubEvent, 'type' | 'position' | 'rooms'>): boolean {
    // mutant: a change that the state holds is sent again
    return position <= (this.rooms.get(room)?.position ?? 0) && isStateChange(type);
  }
}
