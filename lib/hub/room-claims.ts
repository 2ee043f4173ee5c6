import type { Position } from '../wire/cursor.js';
import type { OfRooms } from './stream-part.js';

/**
 * Rooms that join a stream own the events after their join: the other rooms wait before the first
 * event of both, until the rooms that join have given everything before it.
 */
export interface Claim {
  readonly rooms: readonly string[];
  /** The rooms that join own what is after this position. */
  ownsAfter: Position;
  /** Up to here, they do not give what the client has of other rooms. */
  oldUpTo: Position;
  /** Up to here, a client that has returned has what they own. */
  readonly had: Position;
}

/** The claims of the rooms that join a stream, one group after the other. */
export class RoomClaims {
  private claims: readonly Claim[] = [];
  /** Of a client that has returned, also after the rooms have joined. */
  private returned: readonly Claim[] = [];

  add(claim: Claim): Claim {
    this.claims = [...this.claims, claim];
    if (claim.had > 0) this.returned = [...this.returned, claim];
    return claim;
  }

  remove(claim: Claim): void {
    this.claims = this.claims.filter((other) => other !== claim);
  }

  /** The groups after the first join a stream that has given nothing after their joins. */
  get limit(): Position {
    const [, ...later] = this.claims;
    return Math.min(...later.map(({ ownsAfter }) => ownsAfter));
  }

  /** Whether the other rooms wait before an event. */
  holdBack(event: OfRooms): boolean {
    const [now] = this.claims;
    if (now === undefined) return false;
    const { position = 0 } = event;
    if (position > this.limit) return true;
    return position > Math.max(now.ownsAfter, now.had) && shares(event, now);
  }

  /** Whether a client that has returned got it from rooms that were joining. */
  gave(event: OfRooms): boolean {
    const { position = Infinity } = event;
    return this.returned.some(
      (claim) => position > claim.ownsAfter && position <= claim.had && shares(event, claim),
    );
  }
}

function shares({ rooms }: OfRooms, claim: Claim): boolean {
  return rooms.some((room) => claim.rooms.includes(room));
}
