import { useEffect, useEffectEvent, useRef, useState } from 'react';
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
 * Reads a stream while the component is on the page and calls `onEvent`
 * for each event. A new `url` resumes after the last event. Options are
 * read when the stream connects.
 */
export function useEventStream<Events extends object>(
  url: string,
  onEvent: (event: StreamEvent<Events>) => void,
  options: ConnectOptions = {},
): StreamStatus {
  const [status, setStatus] = useState<StreamStatus>({ state: 'connecting' });
  const cursor = useRef(options.lastEventId);
  const give = useEffectEvent(onEvent);
  const current = useEffectEvent(() => ({
    ...options,
    lastEventId: cursor.current,
  }));

  useEffect(() => {
    const stream = connect<Events>(url, current());
    stream.subscribe((event) => give(event));
    const off = stream.onState((state, error) => setStatus({ state, error }));
    return () => {
      off();
      cursor.current = stream.lastEventId;
      stream.close();
    };
  }, [url]);

  return status;
}
