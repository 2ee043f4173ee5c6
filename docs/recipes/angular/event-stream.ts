import { effect, signal, untracked } from '@angular/core';
import type { Signal } from '@angular/core';
import { connect } from 'nestjs-eventstream/client';
import type {
  ConnectOptions,
  SseClientError,
  StreamEvent,
  StreamState,
} from 'nestjs-eventstream/client';

export interface StreamStatus {
  readonly state: StreamState;
  readonly error?: SseClientError | undefined;
}

/**
 * Reads a stream while the component or service lives whose constructor or field calls this.
 * `onEvent` gets each event. A new `url` goes on after the last event.
 */
export function eventStream<Events extends object>(
  url: () => string,
  onEvent: (event: StreamEvent<Events>) => void,
  options: ConnectOptions = {},
): Signal<StreamStatus> {
  const status = signal<StreamStatus>({ state: 'connecting' });
  let cursor = options.lastEventId;

  effect((onCleanup) => {
    const to = url();
    const stream = untracked(() => connect<Events>(to, { ...options, lastEventId: cursor }));
    stream.subscribe(onEvent);
    const off = stream.onState((state, error) => status.set({ state, error }));
    onCleanup(() => {
      off();
      cursor = stream.lastEventId;
      stream.close();
    });
  });

  return status.asReadonly();
}
