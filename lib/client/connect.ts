import { MAX_TIMER_MS } from './back-off.js';
import { SseClientError } from './client-error.js';
import type { ConnectOptions } from './connect.options.js';
import { EventStream } from './event-stream.js';

/**
 * Opens an event stream over `fetch`, in browsers and Node, and opens it again where it stopped until it is closed. Events wait for
 * the first listener, loop or subscription. `Events` names the events and the types of their data, as for `Broadcaster`.
 * @example
 * ```ts
 * const stream = connect<{ price: { value: number } }>('/prices', {
 *   headers: async () => ({ authorization: `Bearer ${await token()}` }),
 * });
 * stream.on('price', ({ data }) => show(data.value));
 * ```
 * @throws SseClientError `SSE_OPTIONS` for a duration that is none, and what `persist` throws when it is read
 * @publicApi
 */
export function connect<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options: ConnectOptions = {},
): EventStream<Events> {
  const { stallTimeoutMs, maxBackoffMs } = options;
  if (stallTimeoutMs !== false) checkDuration('stallTimeoutMs', stallTimeoutMs);
  checkDuration('maxBackoffMs', maxBackoffMs);
  return new EventStream(url, options);
}

function checkDuration(option: string, ms: number | undefined): void {
  if (ms === undefined || (Number.isInteger(ms) && ms > 0 && ms <= MAX_TIMER_MS)) return;
  const expected = `whole milliseconds from 1 to ${MAX_TIMER_MS}`;
  throw new SseClientError('SSE_OPTIONS', `${option}: expected ${expected}, got ${String(ms)}`);
}
