/**
 * Where the last event ID outlives the page: `localStorage`, `sessionStorage`, or two functions.
 * @publicApi
 */
export interface CursorStorage {
  /** The value of this key; `null`: none. */
  getItem(key: string): string | null;
  /** Keeps the value, instead of an earlier one. */
  setItem(key: string, value: string): void;
}

type Body = Exclude<NonNullable<RequestInit['body']>, ReadableStream>;
type Headers = NonNullable<RequestInit['headers']>;

/**
 * The options of `connect()`.
 * @publicApi
 */
export interface ConnectOptions {
  /**
   * Request headers, or a function that is called for each attempt, so that a token can be a new
   * one. If it rejects, or takes longer than `stallTimeoutMs`, the attempt has failed and is made
   * again later.
   */
  headers?: Headers | (() => Headers | Promise<Headers>);
  /**
   * The HTTP method.
   * @default 'GET', with a `body` 'POST'
   */
  method?: string;
  /**
   * The request's body, or a function that is called for each attempt. Not a stream, which can be
   * sent only once: it closes with `SSE_REQUEST`.
   */
  body?: Body | (() => Body | Promise<Body>);
  /** Closes the stream when it aborts. */
  signal?: AbortSignal;
  /**
   * Whether cookies go along, as for `fetch`.
   * @default 'same-origin'
   */
  credentials?: RequestInit['credentials'];
  /**
   * Where redirects may lead. `'same-origin'`: anywhere within the origin, and a redirect to
   * another one closes the stream with `SSE_REDIRECT`, so that no header, cookie, last event ID or
   * body goes there. `'follow'`: wherever `fetch` goes, which leaves out `Authorization` and
   * `Cookie` at another origin, and nothing else. `'error'`: nowhere.
   *
   * Browsers do not tell where a redirect leads. There `'same-origin'` follows it if the stream is
   * of the page's own origin, and follows none otherwise. A `fetch` of your own has to honour
   * `redirect: 'manual'`; one that does not goes where it likes.
   * @default 'same-origin'
   */
  redirect?: 'same-origin' | 'follow' | 'error';
  /**
   * Used instead of the global `fetch`. It has to honour `signal` and `redirect: 'manual'`, and
   * give a `body` that can be read in parts: a web stream, or Node's as in `node-fetch`. React
   * Native's own gives none; `expo/fetch` does.
   * @default globalThis.fetch
   */
  fetch?: (url: string | URL, init: RequestInit) => Promise<Response>;
  /**
   * Where to go on, for example `broadcaster.position()` of a page that the server rendered. Wins
   * over `persist`.
   */
  lastEventId?: string | undefined;
  /**
   * Keeps the last event ID, so that a page that is loaded again goes on where it stopped.
   * `sessionStorage` is of one tab; tabs that share `localStorage` share the cursor, and each gets
   * only what none of them had. It is written at most once per turn of the event loop, and when the
   * page is hidden or the stream closed. If it throws, `console.warn` says so once, and events go
   * on.
   */
  persist?: CursorStorage;
  /**
   * The key in `persist`.
   * @default 'nestjs-eventstream:' and the URL
   */
  persistKey?: string;
  /**
   * How long the server may be silent, while it is read from, before the connection is given up and
   * made again. Milliseconds; longer than the server's `keepAlive.intervalMs`. `false` switches it
   * off; needed where a server of another library sends no keep-alives.
   * @default three keep-alives, at least 1_000: `SseModule` tells their interval, and that there
   * are none; 45_000 where it is not told
   */
  stallTimeoutMs?: number | false;
  /**
   * The longest pause after attempts that failed in a row. Milliseconds. A longer `retry:` or
   * `Retry-After` of the server still counts.
   * @default 30_000
   */
  maxBackoffMs?: number;
  /**
   * How long a line may be, and the `data` of one event, before the stream is closed with
   * `SSE_DATA`: it would come again with each attempt. Bytes in UTF-8; more than the server's
   * `limits.maxEventBytes`. `false` switches it off.
   * @default 8_388_608
   */
  maxEventBytes?: number | false;
  /**
   * Text into `data`. What it throws closes the stream.
   * @default JSON where the text is JSON, else the text: of a text `42` it makes a number
   */
  parse?: (text: string, type: string) => unknown;
}
