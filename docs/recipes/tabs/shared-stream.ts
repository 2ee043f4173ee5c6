import {
  connect,
  type EventStream,
  type StreamEvent,
  type StreamState,
} from 'nestjs-eventstream/client';

const NAME = 'orders';

/** The state of the shared stream. `status` is set if the server refused it. */
export interface StreamStates {
  'stream-state': { state: StreamState; status: number | undefined };
}

/**
 * Calls the listener for each event of the stream that all tabs share.
 * Returns a function that removes the listener.
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
    // One tab reads for all. When it closes, the next one gets the lock.
    void navigator.locks.request(NAME, () => readForAll().closed);
  }
  return () => channel.close();
}

/** Runs in the worker, or in the tab that has the lock. */
export function readForAll(): EventStream {
  const channel = new BroadcastChannel(NAME);
  // A worker has no storage and needs none: it lives as long as any tab.
  const stream = connect('/orders', { persist: globalThis.localStorage });
  stream.subscribe((event) => channel.postMessage(event));
  stream.onState((state, error) => {
    const data = { state, status: error?.status };
    channel.postMessage({ type: 'stream-state', data });
  });
  return stream;
}
