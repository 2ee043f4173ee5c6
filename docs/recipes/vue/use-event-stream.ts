import { shallowRef, toValue, watchPostEffect } from 'vue';
import type { MaybeRefOrGetter, ShallowRef } from 'vue';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { sharedStream } from 'nestjs-eventstream/shared';
import type { SharedOptions, StreamStatus } from 'nestjs-eventstream/shared';

/**
 * Reads a stream while the component or effect scope lives, and calls
 * `onEvent` for each event. Components with the same URL share one
 * connection. Does nothing while a server renders.
 */
export function useEventStream<Events extends object>(
  url: MaybeRefOrGetter<string>,
  onEvent: (event: StreamEvent<Events>) => void,
  options?: SharedOptions,
): Readonly<ShallowRef<StreamStatus>> {
  const status = shallowRef<StreamStatus>({
    state: 'connecting',
    error: undefined,
  });
  watchPostEffect((onCleanup) => {
    const stream = sharedStream<Events>(toValue(url), options);
    const show = () => void (status.value = stream.getSnapshot());
    const offs = [stream.onEvent(onEvent), stream.subscribe(show)];
    show();
    onCleanup(() => offs.forEach((off) => off()));
  });
  return status;
}
