import type { StreamEvent, StreamEventType } from '../client/stream-event.js';
import type { SharedStream } from './shared-stream.js';

/**
 * What `updateQueries()` needs of a `QueryClient` of TanStack Query.
 * @publicApi
 */
export interface QueriesClient {
  /** Marks queries as stale, and fetches again those that are in use. */
  invalidateQueries(
    filters: { readonly queryKey: readonly unknown[] },
    options: { readonly cancelRefetch: boolean },
  ): Promise<unknown>;
  /** The number of queries that are being fetched. */
  isFetching(filters: { readonly queryKey: readonly unknown[] }): number;
}

/**
 * What happens at events, by their types. `true` fetches the queries again; a function may set
 * their data instead.
 * @typeParam Events maps event types to the types of their data
 * @publicApi
 */
export type QueryUpdates<Events extends object> = {
  readonly [Type in StreamEventType<Events>]?:
    true | ((event: StreamEvent<Events, Type>) => unknown);
};

/**
 * Keeps queries of TanStack Query up to date by the events of a stream, until the returned function
 * is called. Without `on`, each event of the app invalidates all queries whose key begins with
 * `queryKey`; with it, only events of its types do, or set data.
 *
 * Queries are invalidated also where events were missed: after an `sse-gap`, when the stream opens
 * without a cursor, and if it is open already. Give the stream a `lastEventId` that is as old as
 * the data to save that. Of many events during a fetch, one more fetch comes.
 * @typeParam Events maps event types to the types of their data
 * @param queryClient the `QueryClient`, of React, Vue, Angular, Solid or Svelte
 * @param stream of `sharedStream()` or `useStream()`
 * @param queryKey the key of one query, or what the keys of several begin with
 * @param on what happens at events, by their types
 * @example
 * ```tsx
 * const { stream } = useStream<OrderEvents>('/orders/events');
 * const client = useQueryClient();
 * useEffect(
 *   () =>
 *     updateQueries(client, stream, ['orders'], {
 *       created: true,
 *       changed: ({ data }) => client.setQueryData(['orders', data.no], data),
 *     }),
 *   [client, stream],
 * );
 * ```
 * @publicApi
 */
export function updateQueries<Events extends object>(
  queryClient: QueriesClient,
  stream: SharedStream<Events>,
  queryKey: readonly unknown[],
  on?: QueryUpdates<Events>,
): () => void {
  const filters = { queryKey };
  let isRunning = false;
  let isOwed = false;

  const isFetching = (): boolean => queryClient.isFetching(filters) > 0;
  const refresh = async (): Promise<void> => {
    isOwed = true;
    if (isRunning) return;
    isRunning = true;
    try {
      // A fetch that runs already may bring what was before the event. It is not repeated, because
      // a first fetch cannot be, but followed by another one.
      let isLate = isFetching();
      while (isOwed) {
        isOwed = isLate;
        isLate = false;
        await queryClient.invalidateQueries(filters, { cancelRefetch: false });
      }
    } finally {
      isRunning = false;
    }
  };

  const updates = on as
    Record<string, true | ((event: StreamEvent<Events>) => unknown)> | undefined;
  const updateFor = (type: string): boolean | ((event: StreamEvent<Events>) => unknown) => {
    if (!updates) return !type.startsWith('sse-');
    return Object.hasOwn(updates, type) && updates[type]!;
  };

  const offEvent = stream.onEvent((event) => {
    const update = updateFor(event.type);
    if (typeof update === 'function') update(event);
    // The answer of a fetch replaces what the function has set.
    const isStale = typeof update === 'function' ? isFetching() : update;
    if (isStale || event.type === 'sse-gap') void refresh();
  });
  const opened = (): void => {
    if (stream.getSnapshot().state === 'open' && stream.lastEventId === undefined) void refresh();
  };
  const offStatus = stream.subscribe(opened);
  if (stream.getSnapshot().state === 'open') void refresh();

  return () => {
    offEvent();
    offStatus();
  };
}
