import { useMemo, useSyncExternalStore } from 'react';
import type { SharedStream } from '../shared/shared-stream.js';
import { NO_ENTRIES, type StateEntries } from '../shared/store.js';

/**
 * Renders with the entries of a state room, and again after changes, once for all of a turn. Each
 * change makes a new map. There are no entries while a server renders, and until they arrive.
 * Components may come and go at any time: the stream keeps the entries of all its state rooms.
 * @typeParam State the keys of the room, and the types of their values
 * @example
 * ```tsx
 * const { stream } = useStream('/prices');
 * const prices = useStreamState<Record<string, { bid: number }>>(stream, 'prices');
 * return <ul>{[...prices].map(([key, { bid }]) => <li key={key}>{key}: {bid}</li>)}</ul>;
 * ```
 * @throws SseClientError `SSE_STATE` if the stream has the option `lastEventId` or `persist`
 * @publicApi
 */
export function useStreamState<State extends object = Record<string, unknown>>(
  stream: Pick<SharedStream, 'stateOf'>,
  room: string,
): StateEntries<State> {
  const store = useMemo(() => stream.stateOf<State>(room), [stream, room]);
  return useSyncExternalStore(store.subscribe, store.getSnapshot, noEntries<State>);
}

function noEntries<State extends object>(): StateEntries<State> {
  return NO_ENTRIES as unknown as StateEntries<State>;
}
