import { shallowRef, toValue, watchPostEffect } from 'vue';
import type { MaybeRefOrGetter, ShallowRef } from 'vue';
import { connect } from 'nestjs-eventstream/client';
import type {
  ConnectOptions,
  SseClientError,
  StreamEvent,
  StreamState,
} from 'nestjs-eventstream/client';

export interface StreamStatus {
  readonly state: Readonly<ShallowRef<StreamState>>;
  readonly error: Readonly<ShallowRef<SseClientError | undefined>>;
}

/**
 * Reads a stream while the component or effect scope lives, and calls
 * `onEvent` for each event. Does nothing while a server renders. A new
 * `url` resumes after the last event.
 */
export function useEventStream<Events extends object>(
  url: MaybeRefOrGetter<string>,
  onEvent: (event: StreamEvent<Events>) => void,
  options: ConnectOptions = {},
): StreamStatus {
  const state = shallowRef<StreamState>('connecting');
  const error = shallowRef<SseClientError>();
  let cursor = options.lastEventId;

  watchPostEffect((onCleanup) => {
    const stream = connect<Events>(toValue(url), {
      ...options,
      lastEventId: cursor,
    });
    stream.subscribe(onEvent);
    const off = stream.onState((next, reason) => {
      state.value = next;
      error.value = reason;
    });
    onCleanup(() => {
      off();
      cursor = stream.lastEventId;
      stream.close();
    });
  });

  return { state, error };
}
