/**
 * A change of a state room's map. The map has it already, and may be further.
 * - `set`: an entry was added or replaced.
 * - `delete`: an entry was removed.
 * - `state`: any entry may have changed. Read the map again.
 * @publicApi
 */
export type StateChange<State extends object = Record<string, unknown>> =
  | { readonly kind: 'state'; readonly key?: undefined; readonly value?: undefined }
  | {
      [Key in keyof State & string]:
        | { readonly kind: 'set'; readonly key: Key; readonly value: State[Key] }
        | { readonly kind: 'delete'; readonly key: Key; readonly value?: undefined };
    }[keyof State & string];

/**
 * The entries of a state room, kept up to date. A new state replaces the entries at once, when all
 * of it has arrived; until then the map has the old ones. When the stream closes, the map keeps its
 * last entries.
 * @publicApi
 */
export interface RoomState<State extends object = Record<string, unknown>> extends ReadonlyMap<
  keyof State & string,
  State[keyof State & string]
> {
  /** The value of a key, or `undefined` if there is no entry. */
  get<Key extends keyof State & string>(key: Key): State[Key] | undefined;
  /**
   * Resolves when the map has a whole state, which may be empty. A server that does not know that
   * its hub has state rooms sends no empty state: then it resolves with the first change. Rejects
   * if the stream closes before, with its error or `SSE_STATE`.
   */
  readonly ready: Promise<void>;
  /**
   * The changes from now on, for any number of loops at the same time. A loop begins with `state`
   * if there is one already. Leaving it does not close the stream. It ends with the stream, and
   * throws if the stream failed.
   *
   * A slow loop delays neither the stream nor the map. If it has more than 1 000 unread changes, it
   * gets one `state` instead of them, and so it does if a whole state arrives.
   */
  readonly changes: AsyncIterable<StateChange<State>>;
}

/** Keys and values, for example of a map. */
export type Entries<State extends object> = Iterable<
  readonly [keyof State & string, State[keyof State & string]]
>;
