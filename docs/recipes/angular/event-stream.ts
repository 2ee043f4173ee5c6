import { effect, signal } from '@angular/core';
import type { Signal } from '@angular/core';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { sharedStream } from 'nestjs-eventstream/shared';
import type { SharedOptions, StreamStatus } from 'nestjs-eventstream/shared';

/**
 * Reads a stream and calls `onEvent` for each event, until the component
 * or service that called this is destroyed. Calls with the same URL share
 * one connection.
 */
export function eventStream<Events extends object>(
  url: () => string,
  onEvent: (event: StreamEvent<Events>) => void,
  options?: SharedOptions,
): Signal<StreamStatus> {
  const status = signal<StreamStatus>({
    state: 'connecting',
    error: undefined,
  });
  effect((onCleanup) => {
    const stream = sharedStream<Events>(url(), options);
    const show = () => status.set(stream.getSnapshot());
    const offs = [stream.onEvent(onEvent), stream.subscribe(show)];
    show();
    onCleanup(() => offs.forEach((off) => off()));
  });
  return status.asReadonly();
}
