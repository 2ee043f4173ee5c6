import { check, checkOptions, type Needs, refuse } from '../connect.js';
import type { ContractConnectOptions } from '../connect.options.js';
import type {
  AnyContract,
  ReceivedEventsOf,
  UrlOptions,
  ValidatedEventsOf,
} from '../../schema/contract-types.js';
import type { ReceiveOptions } from '../../schema/received-events.js';
import { groupOf } from './group.js';
import { SharedStream } from './shared-stream.js';
import type { TabsOptions } from './tabs.options.js';

/**
 * Opens an event stream that all tabs of an origin share: one of them has the connection, and every
 * tab gets every event. When that tab closes, crashes or is frozen, another one takes over and
 * resumes where it stopped. Where the browser has no Web Locks or no `BroadcastChannel`, each tab
 * has a connection of its own.
 *
 * A tab joins when its first listener, loop or subscription is added. If the stream is open
 * already, it gets the events from then on, and the entries of state rooms; `lastEventId` says from
 * where. What the server sends only as a connection opens, such as a `snapshot`, it does not get.
 * @example
 * ```ts
 * const stream = connectTabs<{ price: { value: number } }>('/prices');
 * stream.on('price', ({ data }) => show(data.value));
 * ```
 * @typeParam Events the event types with the types of their data
 * @throws SseClientError `SSE_OPTIONS` for a wrong option
 * @publicApi
 */
export function connectTabs<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options?: TabsOptions,
): SharedStream<Events>;
/**
 * Opens the stream of a contract, as `connect(contract)` does.
 * @typeParam Contract the contract
 * @typeParam Url the options that its URL needs
 * @throws SseClientError `SSE_OPTIONS` for a wrong option; SseOptionsError for a wrong parameter
 */
export function connectTabs<Contract extends AnyContract, Url extends UrlOptions<Contract>>(
  contract: object extends Url
    ? Contract
    : Needs<{ [Key in keyof Url]-?: object extends Pick<Url, Key> ? never : Key }[keyof Url]>,
): SharedStream<ReceivedEventsOf<Contract>>;
/**
 * Opens the stream of a contract, as `connect(contract, options)` does.
 * @typeParam Contract the contract
 * @typeParam Validates whether `validate` is on
 */
export function connectTabs<Contract extends AnyContract, Validates extends boolean>(
  contract: Contract,
  options: TabsOptions & ContractConnectOptions<Contract> & { validate?: Validates },
): SharedStream<
  [Validates] extends [true] ? ValidatedEventsOf<Contract> : ReceivedEventsOf<Contract>
>;
export function connectTabs(
  to: string | URL | AnyContract,
  options: TabsOptions & ReceiveOptions = {},
): unknown {
  checkOptions(options);
  const { takeOverMs, name, roomsOf } = options;
  if (takeOverMs !== false) check('takeOverMs', takeOverMs);
  if (name !== undefined && typeof name !== 'string') refuse('name', 'a string', name);
  if (roomsOf !== undefined && typeof roomsOf !== 'function') {
    refuse('roomsOf', 'a function', roomsOf);
  }
  const contract = to as AnyContract;
  const isContract = typeof contract.receiver === 'function';
  const url = isContract ? contract.url(options) : (to as string | URL);
  const receive = isContract ? contract.receiver(options) : undefined;
  return new SharedStream(url, options, groupOf(url, options), receive);
}
