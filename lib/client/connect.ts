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
 * @publicApi
 */
export function connect<Events extends object = Record<string, unknown>>(
  url: string | URL,
  options: ConnectOptions = {},
): EventStream<Events> {
  return new EventStream(url, options);
}
