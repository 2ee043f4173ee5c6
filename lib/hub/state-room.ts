/**
 * An entry of a state room.
 * @publicApi
 */
export interface StateEntry<Value> {
  readonly key: string;
  readonly value: Value;
  /** The cursor of the event that set it, for `ifPosition`. */
  readonly position: string;
}

/**
 * The condition of a change. Without one, the change is always made.
 * @publicApi
 */
export interface ChangeOptions {
  /** Changes the entry only if it is still at this position, which `get()` or `set()` returned. */
  ifPosition?: string;
}

/**
 * Options for setting an entry.
 * @publicApi
 */
export interface SetOptions extends ChangeOptions {
  /** Sets the entry only if the key has none. */
  ifAbsent?: boolean;
  /**
   * Deletes the entry after this time, in milliseconds, unless it was set again. Readers get an
   * `sse-delete`, once whatever the number of processes.
   * @default none: the entry stays until it is deleted
   */
  ttlMs?: number;
}

/**
 * A room that holds state: values by key. A reader of the room gets all entries first
 * (`sse-state`), and then each change (`sse-set`, `sse-delete`), so that its copy always becomes
 * that of the server. Created by `Broadcaster.state()`.
 *
 * Entries are kept until they are deleted or end, whatever `history` says. Plain events may be
 * emitted to the same room.
 * @publicApi
 */
export interface StateRoom<State extends object = Record<string, unknown>> {
  /**
   * Sets an entry, and resolves with its position when the log has accepted it.
   * @throws SseInvalidFieldError for a key that is not a text of 1 to 512 characters without line
   * breaks and NUL; SseSerializeError for a value that JSON cannot hold; SseConflictError if the
   * condition does not hold; SseLimitError at `state.maxKeys`, `state.maxBytes` or
   * `limits.maxEventBytes`; SseOptionsError; and as `Broadcaster.publish()`
   */
  set<Key extends keyof State & string>(
    key: Key,
    value: State[Key],
    options?: SetOptions,
  ): Promise<string>;

  /**
   * Deletes an entry. Resolves with the position of the deletion; with `''` if there was no entry.
   * @throws as `set()`
   */
  delete(key: keyof State & string, options?: ChangeOptions): Promise<string>;

  /**
   * Resolves with an entry; `undefined` if there is none.
   * @throws SseInvalidFieldError for an invalid key; SseClosedError; SseError `SSE_LOG_UNAVAILABLE`
   */
  get<Key extends keyof State & string>(key: Key): Promise<StateEntry<State[Key]> | undefined>;

  /**
   * Resolves with all entries at one moment, the least recently changed first. `cursor` is that
   * moment: render a page with the entries, and connect with `?lastEventId=<cursor>` to get every
   * change since.
   * @throws SseClosedError; SseError `SSE_LOG_UNAVAILABLE`
   */
  entries(): Promise<{
    readonly entries: StateEntry<State[keyof State]>[];
    readonly cursor: string;
  }>;
}
