import { MAX_TIMER_MS } from './back-off.js';
import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { EventStream } from './event-stream.js';

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
  options: ConnectOptions = {},
): EventStream<Events> {
  const { stallTimeoutMs, maxBackoffMs, maxEventBytes, redirect } = options;
  if (stallTimeoutMs !== false) check('stallTimeoutMs', stallTimeoutMs);
  check('maxBackoffMs', maxBackoffMs);
  if (maxEventBytes !== false) {
    check('maxEventBytes', maxEventBytes, 'bytes', Number.MAX_SAFE_INTEGER);
  }
  if (redirect !== undefined && !['same-origin', 'follow', 'error'].includes(redirect)) {
    refuse('redirect', "'same-origin', 'follow' or 'error'", redirect);
  }
  return new EventStream(url, options);
}

function check(
  option: string,
  value: number | undefined,
  unit = 'milliseconds',
  max = MAX_TIMER_MS,
): void {
  if (value === undefined || (Number.isInteger(value) && value > 0 && value <= max)) return;
  refuse(option, `whole ${unit} from 1 to ${max}`, value);
}

function refuse(option: string, expected: string, got: unknown): never {
  throw new SseClientError('SSE_OPTIONS', `${option}: expected ${expected}, got ${String(got)}`);
}
