import type { Position } from './cursor.js';
import type { LoggedEvent } from './event.js';
import type { FrameParts, SseMessage } from './frame.js';

/** An event on its way into a log: checked and encoded, without a position. */
export interface NewEvent {
  readonly rooms: readonly string[];
  readonly message: SseMessage;
  readonly parts: FrameParts;
  /** For those who are there now: it gets no position and is not kept. */
  readonly ephemeral?: boolean;
}

/** Where a log stands: its lifetime, and the position of its newest event. */
export interface Head {
  readonly epoch: string;
  readonly position: Position;
}

/**
 * Where the events of one hub get their position and are kept.
 * @publicApi
 */
export interface EventLog {
  /**
   * Appends one event to all its rooms at once; resolves with it, as followers get it.
   * - Positions strictly increase and are never used again, not even after a lost write.
   * - Rejects with `SSE_LOG_UNAVAILABLE` within 2 s; never leaves the promise pending.
   * - After `close()`: rejects with `SSE_CLOSED`.
   */
  append(event: NewEvent): Promise<LoggedEvent>;

  /**
   * Starts handing every event of the hub to `listener`, once each and in the order of positions, whoever
   * appended it; resolves with the head: the listener gets exactly what comes after it. Called once, by the hub.
   */
  follow(listener: (event: LoggedEvent) => void): Promise<Head>;

  /** Frees what the log holds. The listener is not called afterwards. A second call does nothing. */
  close(): Promise<void>;
}
