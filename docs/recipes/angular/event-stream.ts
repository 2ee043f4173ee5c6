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
 * Reads a stream and calls `onEvent` for each event. Closes it with the
 * component or service that called this. A new `url` resumes after the
 * last event.
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
    const from = { ...options, lastEventId: cursor };
    const stream = untracked(() => connect<Events>(to, from));
    stream.subscribe(onEvent);
    const off = stream.onState((state, error) => {
      status.set({ state, error });
    });
    onCleanup(() => {
      off();
      cursor = stream.lastEventId;
      stream.close();
    });
  });

  return status.asReadonly();
}
