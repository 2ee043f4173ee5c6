import type { CursorSource } from '../connection/client-cursor.js';
import type { Position } from '../wire/cursor.js';
import type { ReaderPosition } from '../wire/last-event-id.js';
import type { InFlight } from './in-flight.js';

const NONE: readonly string[] = [];

/**
 * Rooms that another subscription of their stream has taken over, while an operator may still hold
 * events: they and the others are not at the same position yet, so the ids name both.
 */
export class MergedRooms implements CursorSource {
  /** The other subscription counts them. */
  readonly rooms = NONE;
  readonly isJoining = true;

  constructor(
    private readonly own: readonly string[],
    readonly label: string,
    private readonly inFlight: InFlight,
    private readonly epoch: string,
    /** Where they were taken over. */
    private readonly upTo: Position,
    /**
     * Rooms that were taken over before, and that the operators still hold events of. An id has
     * room for the position of one group, so these begin again when the client returns.
     */
    private readonly earlier: readonly string[],
  ) {}

  /** The rooms that the cursor of the other subscription is not about. */
  get joined(): readonly string[] {
    return this.earlier.length === 0 ? this.own : [...this.earlier, ...this.own];
  }

  get position(): ReaderPosition {
    return this.inFlight.position(this.epoch, this.upTo, false);
  }

  /** Whether the cursor of the other subscription says all. */
  isBehind({ lastOut = 0, isEmpty }: InFlight): boolean {
    const own = this.inFlight;
    const isAlone = this.earlier.length === 0;
    // It went into the operators later, so they hold none of these events any more.
    if (lastOut > this.upTo) return true;
    return isAlone && own.isEmpty && (isEmpty || lastOut >= (own.lastOut ?? 0));
  }

  knowsEpoch(): boolean {
    return false;
  }

  holds(id: string): boolean {
    return this.inFlight.holds(id);
  }

  cameOut(id: string): void {
    this.inFlight.cameOut(id);
  }
}
