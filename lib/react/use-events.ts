import { useCallback, useEffect, useInsertionEffect, useRef } from 'react';
import type { StreamEvent, StreamEventType } from '../client/stream-event.js';
import type { SharedStream } from '../shared/shared-stream.js';

/**
 * Calls the listener for each event while the component is mounted. It is always the listener of
 * the last render, and a `dispatch` of `useReducer()` is one. React can render once for several
 * events, so there is no hook that returns the last event: it would lose the others.
 *
 * If events passed while React had hidden the component, or if the stream is another one, the
 * listener gets an `sse-gap` without rooms: what the component shows may be old.
 * @typeParam Events maps event types to the types of their data
 * @example `useEvents(stream, dispatch)`
 * @publicApi
 */
export function useEvents<Events extends object>(
  stream: SharedStream<Events>,
  listener: (event: StreamEvent<Events>) => void,
): void;
/**
 * Calls the listener for each event of one type while the component is mounted.
 * @typeParam Events maps event types to the types of their data
 * @typeParam Type the event type
 * @example `useEvents(stream, 'created', ({ data }) => toast(`Order ${data.no}`))`
 */
export function useEvents<Events extends object, Type extends StreamEventType<Events>>(
  stream: SharedStream<Events>,
  type: Type,
  listener: (event: StreamEvent<Events, Type>) => void,
): void;
export function useEvents(
  stream: SharedStream,
  ...args: [listener: Listener] | [type: string, listener: Listener]
): void {
  const listener = args.at(-1) as Listener;
  const type = args.length === 2 ? args[0] : undefined;
  const latest = useRef(listener);
  // Before effects of any component, and without a warning while a server renders.
  useInsertionEffect(() => {
    latest.current = listener;
  });
  const give = useCallback<Listener>((event) => latest.current(event), []);
  useEffect(
    () => (type === undefined ? stream.onEvent(give) : stream.on(type, give)),
    [stream, type, give],
  );
}

type Listener = (event: StreamEvent) => void;
