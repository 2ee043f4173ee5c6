import type { SseMessage } from '../wire/frame.js';
import type { BacklogSettings, GapFrame, Waiting } from './backlog.js';

/** The stream's options for writing. */
export interface OutboxSettings extends BacklogSettings {
  /** See `StreamOptions.flushMs`. */
  readonly flushMs?: number;
}

/** The connection, as its outbox sees it. */
export interface OutboxOwner {
  /** This much was handed to the socket. */
  wrote(events: number, bytes: number): void;
  /** The client has stopped reading. */
  blocked(): void;
  /**
   * A mark by which a returning client is recognized, such as one that was cut for slowness. Called
   * when frames first have to wait.
   */
  mark(): string;
  /**
   * Describes a frame for the backlog. Called for each frame that has to wait, with the arguments
   * of `push()`.
   */
  waitingOf(frame: string, event?: SseMessage, id?: string | number): Waiting;
  /** Tells of dropped events. `undefined` for an `sse-gap`. */
  readonly gapFrame?: GapFrame | undefined;
  /** Events were dropped of which the client cannot be told: nothing may follow. */
  cut(): void;
  /** A write failed. Must not throw. */
  failed(error: unknown): void;
}
