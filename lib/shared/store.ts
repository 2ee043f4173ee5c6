import type { SseClientError } from '../client/client-error.js';
import type { StreamState } from '../client/stream-state.js';

/**
 * A value that changes, as user interface libraries read it. React's `useSyncExternalStore()` takes
 * the two functions as they are.
 * @typeParam Snapshot the value
 * @publicApi
 */
export interface Store<Snapshot> {
  /**
   * Calls the listener after each change, and keeps the stream open until the returned function is
   * called.
   */
  readonly subscribe: (listener: () => void) => () => void;
  /** Returns the value: the same object until it changes. */
  readonly getSnapshot: () => Snapshot;
}

/**
 * What a shared stream does.
 * @publicApi
 */
export interface StreamStatus {
  readonly state: StreamState;
  /** Why the state is `waiting` or `closed`, if an error is the cause. */
  readonly error: SseClientError | undefined;
}

/**
 * The entries of a state room at one time. Never changes: each change makes another one.
 * @typeParam State the keys of the room, and the types of their values
 * @publicApi
 */
export interface StateEntries<State extends object = Record<string, unknown>> extends ReadonlyMap<
  keyof State & string,
  State[keyof State & string]
> {
  /** The value of a key, or `undefined` if there is no entry. */
  get<Key extends keyof State & string>(key: Key): State[Key] | undefined;
}

/** Of a stream that nobody holds. */
export const CONNECTING: StreamStatus = { state: 'connecting', error: undefined };

/** Of a room of which nothing has arrived. */
export const NO_ENTRIES: ReadonlyMap<string, unknown> = new Map();

/** Who is told of the changes of a value. */
export class Listeners {
  private readonly all = new Set<{ readonly listener: () => void }>();

  /** Returns a function that removes the listener. */
  add(listener: () => void): () => void {
    // The same function may be added twice.
    const entry = { listener };
    this.all.add(entry);
    return () => void this.all.delete(entry);
  }

  notify(): void {
    for (const entry of this.all) entry.listener();
  }
}
