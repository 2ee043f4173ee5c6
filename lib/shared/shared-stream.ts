import { connect, type Needs } from '../client/connect.js';
import { SseClientError } from '../client/client-error.js';
import type { EventStream } from '../client/event-stream.js';
import type { StreamEvent, StreamEventType } from '../client/stream-event.js';
import type {
  AnyContract,
  ReceivedEventsOf,
  UrlOptions,
  ValidatedEventsOf,
} from '../schema/contract-types.js';
import { SharedConnection } from './shared-connection.js';
import type { ContractSharedOptions, SharedOptions } from './shared-stream.options.js';
import {
  CONNECTING,
  NO_ENTRIES,
  type StateEntries,
  type Store,
  type StreamStatus,
} from './store.js';

/**
 * A stream that all readers of a URL share. As a store, it has the status of the connection.
 * @typeParam Events maps event types to the types of their data
 * @publicApi
 */
export interface SharedStream<
  Events extends object = Record<string, unknown>,
> extends Store<StreamStatus> {
  /** The cursor of the connection, if there is one. */
  readonly lastEventId: string | undefined;
  /**
   * Calls the listener for each event of this type. Keeps the stream open until the returned
   * function is called. Errors in the listener are reported as uncaught.
   *
   * Events wait for the first listener of a connection; a later one gets the events from then on.
   * A listener that has left and comes back, to this stream or another one, gets an `sse-gap`
   * without rooms if events may have passed in between.
   */
  on<Type extends StreamEventType<Events>>(
    type: Type,
    listener: (event: StreamEvent<Events, Type>) => void,
  ): () => void;
  /** Calls the listener for each event, else as `on()`. */
  onEvent(listener: (event: StreamEvent<Events>) => void): () => void;
  /**
   * The entries of a state room. May be called at any time; until entries arrive, there are none.
   * `subscribe()` of the store throws an SseClientError `SSE_STATE` if the stream has the option
   * `lastEventId` or `persist`, which bring a cursor without entries.
   */
  stateOf<State extends object = Record<string, unknown>>(room: string): Store<StateEntries<State>>;
}

/** The connections that are held, by key. */
const connections = new Map<string, SharedConnection>();

/** For objects that are a part of a key. */
const numbers = new WeakMap<object, number>();
let last = 0;

/**
 * Returns the stream of a URL that all its readers on a page share. The first one opens the
 * connection, and it closes one second after the last one has left. Nothing is opened before, so a
 * server may call it while it renders.
 *
 * Streams are the same if they have the same URL or contract, headers, `credentials` and
 * `validate`. Headers from a function, and other options, are those of whoever opens the
 * connection.
 * @typeParam Events maps event types to the types of their data
 * @example
 * ```ts
 * const prices = sharedStream<{ price: { value: number } }>('/prices');
 * const off = prices.on('price', ({ data }) => show(data.value));
 * ```
 * @throws SseClientError `SSE_OPTIONS` for a `method`, `body` or `signal`
 * @publicApi
 */
export function sharedStream<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options?: SharedOptions,
): SharedStream<Events>;
/**
 * Returns the shared stream of a contract. Events, path parameters and query have the types of the
 * contract, as for `connect(contract)`.
 * @typeParam Contract the contract
 * @typeParam Url the parameters of its URL
 * @example `sharedStream(orders, { params: { customer: 'c7' } })`
 * @throws SseClientError `SSE_OPTIONS` for a `method`, `body` or `signal`; SseOptionsError for a
 * wrong parameter
 */
export function sharedStream<Contract extends AnyContract, Url extends UrlOptions<Contract>>(
  contract: object extends Url
    ? Contract
    : Needs<{ [Key in keyof Url]-?: object extends Pick<Url, Key> ? never : Key }[keyof Url]>,
): SharedStream<ReceivedEventsOf<Contract>>;
export function sharedStream<Contract extends AnyContract, Validates extends boolean>(
  contract: Contract,
  options: ContractSharedOptions<Contract> & { validate?: Validates },
): SharedStream<
  [Validates] extends [true] ? ValidatedEventsOf<Contract> : ReceivedEventsOf<Contract>
>;
export function sharedStream(to: StreamTarget, options: SharedOptions = {}): unknown {
  return streamOf(keyOf(to, options), to, options);
}

/** What a stream is of. */
export type StreamTarget = string | URL | AnyContract;

/**
 * What streams have to have in common to share a connection, as text.
 * @throws SseClientError `SSE_OPTIONS`; SseOptionsError for a wrong parameter of a contract
 */
export function keyOf(to: StreamTarget, options: SharedOptions & { validate?: boolean }): string {
  for (const option of ['method', 'body', 'signal'] as const) {
    if (options[option] === undefined) continue;
    const message = `${option}: a shared stream is a GET request that closes with its last reader; use connect()`;
    throw new SseClientError('SSE_OPTIONS', message);
  }
  const { headers, credentials, validate } = options;
  return JSON.stringify([
    ...(isContract(to) ? [to.url(options), numberOf(to)] : [String(to), 0]),
    typeof headers === 'function' || [...new Headers(headers)],
    credentials,
    validate,
  ]);
}

/** The stream of a key, which opens when somebody reads it. */
export function streamOf(key: string, to: StreamTarget, options: SharedOptions): SharedStream {
  const current = (): SharedConnection | undefined => connections.get(key);
  const opened = (): SharedConnection => current() ?? open(key, to, options);
  const listen = (listener: (event: StreamEvent) => void, type?: string): (() => void) => {
    const connection = opened();
    return both(connection.listen(listener, type), connection.hold());
  };
  return {
    subscribe: (listener) => {
      const connection = opened();
      return both(connection.statusListeners.add(listener), connection.hold());
    },
    getSnapshot: () => current()?.status ?? CONNECTING,
    get lastEventId() {
      return current()?.stream.lastEventId;
    },
    on: (type, listener) => listen(listener as (event: StreamEvent) => void, type),
    onEvent: (listener) => listen(listener),
    stateOf: <State extends object>(room: string) => {
      const store: Store<ReadonlyMap<string, unknown>> = {
        subscribe: (listener) => {
          const connection = opened();
          // First, so that a stream which has no states closes when this throws.
          const release = connection.hold();
          try {
            return both(connection.room(room).listeners.add(listener), release);
          } catch (error) {
            release();
            throw error;
          }
        },
        getSnapshot: () => current()?.entriesOf(room) ?? NO_ENTRIES,
      };
      return store as unknown as Store<StateEntries<State>>;
    },
  };
}

function open(key: string, to: StreamTarget, options: SharedOptions): SharedConnection {
  const { persist, lastEventId } = options;
  const stream: EventStream = connect(to as string, {
    ...options,
    // Components may come when the entries of their room have passed. A cursor brings no entries.
    keeps: persist || lastEventId ? undefined : (room) => stream.stateOf(room),
  });
  const connection = new SharedConnection(stream, () => connections.delete(key));
  connections.set(key, connection);
  return connection;
}

function isContract(to: StreamTarget): to is AnyContract {
  return typeof (to as AnyContract).receiver === 'function';
}

function both(first: () => void, second: () => void): () => void {
  return () => {
    first();
    second();
  };
}

function numberOf(contract: object): number {
  const number = numbers.get(contract) ?? ++last;
  numbers.set(contract, number);
  return number;
}
