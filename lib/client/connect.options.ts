import type { AnyContract, UrlOptions } from '../schema/contract-types.js';
import type { InvalidEvent } from '../schema/received-events.js';

/**
 * Stores the last event ID for longer than the page: `localStorage`, `sessionStorage`, or an object
 * with these two functions.
 * @publicApi
 */
export interface CursorStorage {
  /** Returns the value of the key, or `null`. */
  getItem(key: string): string | null;
  /** Stores the value of the key. */
  setItem(key: string, value: string): void;
}

/**
 * The options of `connect(contract)`: those of `connect()`, the parameters of the URL, and what is
 * checked.
 * @publicApi
 */
export type ContractConnectOptions<Contract extends AnyContract> = ConnectOptions &
  UrlOptions<Contract> & {
    /**
     * Whether the data of each event is checked by its schema. Listeners get what the schema
     * returns. An event that it refuses, or whose type is not in the contract, goes to `onInvalid`
     * and to no listener, and the stream continues after it.
     * @default false: data is not checked, and events of unknown types are ignored
     */
    validate?: boolean;
    /**
     * Called for each event that `validate` refuses.
     * @default a warning on the console, once for each event type
     */
    onInvalid?: (event: InvalidEvent) => void;
  };

type Body = Exclude<NonNullable<RequestInit['body']>, ReadableStream>;
type Headers = NonNullable<RequestInit['headers']>;

/**
 * The options of `connect()`.
 * @publicApi
 */
export interface ConnectOptions {
  /**
   * Request headers, or a function that returns them for each attempt, for example with a fresh
   * token. If it rejects or takes longer than `stallTimeoutMs`, the attempt fails and is repeated
   * later.
   * @default only `Accept` and `Last-Event-ID`
   */
  headers?: Headers | (() => Headers | Promise<Headers>);
  /**
   * The HTTP method.
   * @default 'GET', with a `body` 'POST'
   */
  method?: string;
  /**
   * The request body, or a function that returns it for each attempt. A stream is refused with
   * `SSE_REQUEST`, because it can be sent only once.
   * @default none
   */
  body?: Body | (() => Body | Promise<Body>);
  /** Closes the stream when the signal aborts. */
  signal?: AbortSignal;
  /**
   * Whether cookies are sent, as for `fetch`.
   * @default 'same-origin'
   */
  credentials?: RequestInit['credentials'];
  /**
   * Which redirects are followed.
   * - `'same-origin'`: those within the origin. One to another origin closes the stream with
   *   `SSE_REDIRECT`, so that no header, cookie, last event ID or body is sent there.
   * - `'follow'`: all. At another origin `fetch` omits `Authorization` and `Cookie`, but sends
   *   other headers.
   * - `'error'`: none.
   *
   * Browsers hide where a redirect leads. There `'same-origin'` follows redirects only if the
   * stream has the origin of the page. A `fetch` of your own must honour `redirect: 'manual'`.
   * @default 'same-origin'
   */
  redirect?: 'same-origin' | 'follow' | 'error';
  /**
   * The `fetch` to use. It must honour `signal` and `redirect: 'manual'`, and its responses need a
   * `body` that is a web stream or, as with `node-fetch`, a Node stream. The `fetch` of React
   * Native has none; pass `expo/fetch` there.
   * @default globalThis.fetch
   */
  fetch?: (url: string | URL, init: RequestInit) => Promise<Response>;
  /**
   * The cursor to resume from, for example `broadcaster.position()` in a server-rendered page.
   * Overrides `persist`.
   * @default the stored one, else none
   */
  lastEventId?: string | undefined;
  /**
   * Stores the last event ID, so that a reloaded page resumes. `sessionStorage` belongs to one tab.
   * Tabs that share `localStorage` share the cursor, so each misses the events that another tab
   * got.
   *
   * It is written at most once per turn of the event loop, and when the page is hidden or the
   * stream closes. If it throws, the client warns once on the console and continues.
   * @default none
   */
  persist?: CursorStorage;
  /**
   * The key for `persist`.
   * @default 'nestjs-eventstream:' and the URL
   */
  persistKey?: string;
  /**
   * Where `join()` and `leave()` send their requests, by POST and with `headers`.
   * @default the URL of the stream without its query
   */
  roomsUrl?: string | URL;
  /**
   * How long the server may be silent, in milliseconds, before the client reconnects. Must be
   * longer than the server's `keepAlive.intervalMs`. `false` switches it off, for a server of
   * another library without keep-alives.
   * @default three times the keep-alive interval that `SseModule` announces, at least 1_000; off if
   * it announces none; 45_000 for other servers
   */
  stallTimeoutMs?: number | false;
  /**
   * The longest pause after consecutive failures, in milliseconds. A longer `retry:` or
   * `Retry-After` of the server takes precedence.
   * @default 30_000
   */
  maxBackoffMs?: number;
  /**
   * The maximum size of a line, and of the `data` of one event, in bytes of UTF-8. A larger one
   * closes the stream with `SSE_DATA`. Set it above the server's `limits.maxEventBytes`. `false`
   * switches it off.
   * @default 8_388_608
   */
  maxEventBytes?: number | false;
  /**
   * Turns the text of an event into its `data`. If it throws, the stream closes with `SSE_DATA`.
   * @default parses JSON, and keeps any other text; the text `42` becomes a number
   */
  parse?: (text: string, type: string) => unknown;
  /**
   * @internal Called before entries of a state room without a map pass. It may return the map, from
   * `stateOf()`.
   */
  keeps?: ((room: string) => object) | undefined;
}
