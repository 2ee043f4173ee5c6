import { connect } from 'nestjs-eventstream/client';
import type { EventStream, StreamEvent, StreamState } from 'nestjs-eventstream/client';

const NAME = 'orders';

/** What happens to the one stream; `status` is that of an answer which was no stream. */
export interface StreamStates {
  'stream-state': { state: StreamState; status: number | undefined };
}

/**
 * Gives a page the events of the stream that all tabs share. Returns a function that ends it for
 * this page.
 */
export function listen<Events extends object>(
  listener: (event: StreamEvent<Events & StreamStates>) => void,
): () => void {
  const channel = new BroadcastChannel(NAME);
  channel.addEventListener('message', ({ data }) =>
    listener(data as StreamEvent<Events & StreamStates>),
  );
  if ('SharedWorker' in globalThis) {
    const script = new URL('./shared-stream.worker.js', import.meta.url);
    void new SharedWorker(script, { type: 'module', name: NAME });
  } else {
    // One tab reads for all; when it is closed, the next one gets the lock.
    void navigator.locks.request(NAME, () => readForAll().closed);
  }
  return () => channel.close();
}

/** Reads the stream and gives it to all tabs: in the worker, or in the tab that has the lock. */
export function readForAll(): EventStream {
  const channel = new BroadcastChannel(NAME);
  // There is no storage in a worker, and no need for one: it outlives every tab but the last.
  const stream = connect('/orders', { persist: globalThis.localStorage });
  stream.subscribe((event) => channel.postMessage(event));
  stream.onState((state, error) =>
    channel.postMessage({ type: 'stream-state', data: { state, status: error?.status } }),
  );
  return stream;
}
