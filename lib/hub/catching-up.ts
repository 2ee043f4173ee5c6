import type { Stream } from '../connection/stream.js';
import type { EventMap, LoggedEvent } from '../log/event.js';
import type { Gap } from '../log/event-log.js';
import type { Missed } from '../log/resume.js';
import type { Position } from '../wire/cursor.js';
import type { Delivery } from './delivery.js';
import type { GivenState } from './given-state.js';
import type { HubStreamOptions } from './hub.options.js';
import type { Outlet } from './outlet.js';
import type { StreamPart } from './stream-part.js';

/** The subscription that catches up. Until it is live, new events wait in it. */
export interface CatchingUp {
  readonly delivery: Delivery;
  readonly rooms: readonly string[];
  readonly options: HubStreamOptions<EventMap>;
  readonly connection: Stream | undefined;
  /** Set in a stream of several subscriptions. */
  readonly part?: StreamPart | undefined;
  readonly hasEnded: boolean;
  /** Whether the hub's log has a new epoch that the client does not know of yet. */
  readonly hasRestarted: boolean;
  readonly hasGaps: boolean;
  /** Returns the gaps that the client has not been sent, and removes them. */
  takeGaps(): Gap[];
  /** Adopts the epoch and the gaps of a read. These gaps are sent before any others. */
  enterLog(missed: Missed): void;
  /** Counts everything up to the barrier of the read as delivered. */
  resumeAt(missed: Missed): void;
  /** Of missed events, those that are passed on at once. Others wait. */
  take(events: Missed['events']): Missed['events'];
  /** Passes a missed event on. */
  give(event: LoggedEvent): void;
  /** Whether events that have waited may be passed on. */
  readonly isDue?: boolean;
  passDue?(): Promise<void>;
  /** Set once the client was given the state of a room. */
  state: GivenState | undefined;
  /**
   * Passes on the held events, and from now on each event as it arrives. A part of a stream may
   * have to wait for another.
   */
  goLive(): void;
  readonly isLive: boolean;
  /** Releases an opening that waits for the catch-up after `openWithinMs`. */
  limitHold(): void;
  /** Every event up to here, live or replayed, has reached the outlet. */
  readonly passedUpTo: Position;
  readonly outlet: Outlet;
}
