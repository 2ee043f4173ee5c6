import { useMemo, useSyncExternalStore } from 'react';
import type { Needs } from '../client/connect.js';
import type {
  AnyContract,
  ReceivedEventsOf,
  UrlOptions,
  ValidatedEventsOf,
} from '../schema/contract-types.js';
import { keyOf, streamOf, type SharedStream, type StreamTarget } from '../shared/shared-stream.js';
import type { ContractSharedOptions, SharedOptions } from '../shared/shared-stream.options.js';
import { CONNECTING, type StreamStatus } from '../shared/store.js';

/**
 * What `useStream()` returns.
 * @typeParam Events maps event types to the types of their data
 * @publicApi
 */
export interface UseStreamResult<Events extends object> extends StreamStatus {
  /**
   * For `useEvents()`, `useStreamState()`, `usePresence()` and `updateQueries()`. The same object
   * until the URL changes.
   */
  readonly stream: SharedStream<Events>;
}

/**
 * Keeps a stream open while the component is mounted, and renders with its state. All components
 * with the same URL or contract, headers, `credentials` and `validate` share one connection. It
 * closes one second after the last of them has gone.
 *
 * The state is `connecting` while a server renders and during hydration; nothing is opened there.
 * A changed URL is another stream. Functions among the options are those of the component that
 * opened the connection, so they should read a token from a store and not from a render.
 * @typeParam Events maps event types to the types of their data
 * @example
 * ```tsx
 * function Orders() {
 *   const { stream, state } = useStream<{ created: { no: number } }>('/orders');
 *   const [orders, setOrders] = useState<number[]>([]);
 *   useEvents(stream, 'created', ({ data }) => setOrders((all) => [...all, data.no]));
 *   return <p>{state}: {orders.join(' ')}</p>;
 * }
 * ```
 * @throws SseClientError `SSE_OPTIONS` for a `method`, `body` or `signal`, and for a wrong option
 * @publicApi
 */
export function useStream<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options?: SharedOptions,
): UseStreamResult<Events>;
/**
 * Keeps the stream of a contract open while the component is mounted. Events, path parameters and
 * query have the types of the contract.
 * @typeParam Contract the contract
 * @typeParam Url the parameters of its URL
 * @example `const { stream } = useStream(orders, { params: { customer: 'c7' } })`
 * @throws SseClientError `SSE_OPTIONS` for a wrong option; SseOptionsError for a wrong parameter
 */
export function useStream<Contract extends AnyContract, Url extends UrlOptions<Contract>>(
  contract: object extends Url
    ? Contract
    : Needs<{ [Key in keyof Url]-?: object extends Pick<Url, Key> ? never : Key }[keyof Url]>,
): UseStreamResult<ReceivedEventsOf<Contract>>;
export function useStream<Contract extends AnyContract, Validates extends boolean>(
  contract: Contract,
  options: ContractSharedOptions<Contract> & { validate?: Validates },
): UseStreamResult<
  [Validates] extends [true] ? ValidatedEventsOf<Contract> : ReceivedEventsOf<Contract>
>;
export function useStream(to: StreamTarget, options: SharedOptions = {}): unknown {
  const key = keyOf(to, options);
  const stream = useMemo(() => streamOf(key, to, options), [key]);
  const status = useSyncExternalStore(stream.subscribe, stream.getSnapshot, connecting);
  return useMemo(() => ({ stream, ...status }), [stream, status]);
}

const connecting = (): StreamStatus => CONNECTING;
