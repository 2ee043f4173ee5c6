import { MAX_TIMER_MS } from './back-off.js';
import { SseClientError } from './client-error.js';
import type {
  AnyContract,
  ReceivedEventsOf,
  UrlOptions,
  ValidatedEventsOf,
} from '../schema/contract-types.js';
import type { ReceiveOptions } from '../schema/received-events.js';
import type { ConnectOptions, ContractConnectOptions } from './connect.options.js';
import { EventStream } from './event-stream.js';

/** Makes the compiler print which options are missing. */
export interface Needs<Missing> {
  readonly 'the options need': Missing;
}

/**
 * Opens an event stream with `fetch`, in browsers and Node. It reconnects and resumes until it is
 * closed. Events are buffered until the first listener, loop or subscription is added. `Events`
 * maps event types to the types of their data, as for `Broadcaster`.
 *
 * Any status from 200 to 299 with `text/event-stream` is a stream, for example Nest's 201 for a
 * POST. 204 and 205 close it.
 * @example
 * ```ts
 * const stream = connect<{ price: { value: number } }>('/prices', {
 *   headers: async () => ({ authorization: `Bearer ${await token()}` }),
 * });
 * stream.on('price', ({ data }) => show(data.value));
 * ```
 * @throws SseClientError `SSE_OPTIONS` for a wrong option
 * @publicApi
 */
export function connect<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options?: ConnectOptions,
): EventStream<Events>;
/**
 * Opens the stream of a contract from `nestjs-eventstream/contract`. Events, path parameters and
 * query have the types of the contract. Events of types that it does not have are ignored, so that
 * an older client understands a newer server.
 * @example `connect(orders, { baseUrl: 'https://api.example.com', params: { customer: 'c7' } })`
 * @throws SseClientError `SSE_OPTIONS` for a wrong option; SseOptionsError for a wrong parameter
 */
export function connect<Contract extends AnyContract, Url extends UrlOptions<Contract>>(
  contract: object extends Url
    ? Contract
    : // The keys that are required. The compiler would print the name of an alias instead of them.
      Needs<{ [Key in keyof Url]-?: object extends Pick<Url, Key> ? never : Key }[keyof Url]>,
): EventStream<ReceivedEventsOf<Contract>>;
export function connect<Contract extends AnyContract, Validates extends boolean>(
  contract: Contract,
  options: ContractConnectOptions<Contract> & { validate?: Validates },
): EventStream<
  [Validates] extends [true] ? ValidatedEventsOf<Contract> : ReceivedEventsOf<Contract>
>;
export function connect(
  to: string | URL | AnyContract,
  options: ConnectOptions & ReceiveOptions = {},
): unknown {
  checkOptions(options);
  const contract = to as AnyContract;
  if (typeof contract.receiver !== 'function') return new EventStream(to as string | URL, options);
  return new EventStream(contract.url(options), options, contract.receiver(options));
}

/** @throws SseClientError `SSE_OPTIONS` */
export function checkOptions(options: ConnectOptions): void {
  const { stallTimeoutMs, maxBackoffMs, maxEventBytes, redirect } = options;
  if (stallTimeoutMs !== false) check('stallTimeoutMs', stallTimeoutMs);
  check('maxBackoffMs', maxBackoffMs);
  if (maxEventBytes !== false) {
    check('maxEventBytes', maxEventBytes, 'bytes', Number.MAX_SAFE_INTEGER);
  }
  if (redirect !== undefined && !['same-origin', 'follow', 'error'].includes(redirect)) {
    refuse('redirect', "'same-origin', 'follow' or 'error'", redirect);
  }
}

/** @throws SseClientError `SSE_OPTIONS` */
export function check(
  option: string,
  value: number | undefined,
  unit = 'milliseconds',
  max = MAX_TIMER_MS,
): void {
  if (value === undefined || (Number.isInteger(value) && value > 0 && value <= max)) return;
  refuse(option, `whole ${unit} from 1 to ${max}`, value);
}

export function refuse(option: string, expected: string, got: unknown): never {
  throw new SseClientError('SSE_OPTIONS', `${option}: expected ${expected}, got ${String(got)}`);
}
