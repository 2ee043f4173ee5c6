import type { SseClientError } from '../client-error.js';
import type { StreamEnd, StreamState } from '../stream-state.js';
import type { Entry, Message, Status } from './messages.js';

/** Rooms of an open stream. */
export interface ChangeableRooms {
  join(...rooms: string[]): Promise<unknown>;
  leave(...rooms: string[]): Promise<unknown>;
}

/** The leader's connection to the server. */
export interface Source extends ChangeableRooms {
  readonly lastEventId: string | undefined;
  /** Resolves when it has the rooms that it was opened with. */
  readonly first: Promise<unknown>;
  close(): void;
}

/** What a source brings, as long as it is not closed. */
export interface SourceObserver {
  event(entry: Entry): void;
  /** `lastEventId` has moved, maybe without an event. */
  moved(): void;
  status(state: StreamState, error: SseClientError | undefined): void;
}

/** What connects the tabs: a channel, a lock, and a clock. */
export interface Surroundings {
  /** Hears from now on what is posted, by this tab too. */
  open(hear: (message: Message) => void): void;
  post(message: Message): void;
  /** Hears no more. A tab that stays in existence, because it is only frozen, is still seen. */
  close(isFrozen: boolean): void;
  /**
   * Waits for the lock. `granted`: this tab has it. `lost`: another tab took it away. `isStolen`:
   * takes it from the tab that has it.
   */
  lock(isStolen: boolean, granted: () => void, lost: () => void): void;
  /** Gives the lock up, or the place in the queue. */
  unlock(): void;
  /** How many other tabs wait for the lock. */
  others(): Promise<number>;
  /** Shows the other tabs that this one exists. Resolves when they can see it. */
  live(): Promise<void>;
  /** Calls back when that tab does not exist any more. */
  watch(tab: string, onGone: () => void): void;
  later(ms: number, call: () => void): void;
  /** A new term: later than those of all tabs that this one has not heard. */
  term(): number;
  connect(cursor: string | undefined, rooms: readonly string[], observer: SourceObserver): Source;
}

/** The tab that a member belongs to. */
export interface Host {
  /** Where the first tab begins, and where a tab that comes later wants to begin. */
  readonly lastEventId: string | undefined;
  take(entry: Entry): void;
  /** This tab goes on from here. */
  moved(cursor: string | undefined): void;
  status(status: Status): void;
  end(end: StreamEnd): void;
  readonly states: {
    /** The connection has broken: what has arrived of a state is dropped. */
    drop(): void;
    /** The entries of state rooms, as a server sends them to a newcomer. */
    readonly entries: Entry[];
    /** Whether some entries of a state have arrived, and others not. */
    readonly isMidState: boolean;
  };
}
