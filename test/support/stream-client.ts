import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { IncomingHttpHeaders } from 'node:http';
import { Deferred } from '../../lib/ground/deferred.js';
import { exchange, type StreamRequest } from '../../lib/testing/exchange.js';
import { Watch } from '../../lib/testing/watch.js';

export type { StreamRequest };

/** As the test kit's, but parsed by somebody else: `eventsource-parser` says what is an event. */
export interface StreamClient {
  /** The response's status and headers. */
  readonly response: Promise<{ status: number; headers: IncomingHttpHeaders }>;
  /** All of the body so far. */
  readonly text: string;
  /** Resolves with the whole body when the response ended in full; rejects when it was cut. */
  readonly ended: Promise<string>;
  /** The events so far. */
  readonly events: readonly EventSourceMessage[];
  /** Whether the connection is over, in whatever way. */
  readonly closed: Promise<void>;
  /** The next event that was not asked for yet. */
  next(): Promise<EventSourceMessage>;
  take(count: number): Promise<EventSourceMessage[]>;
  /** Resolves when the body so far has what `predicate` looks for. */
  until(predicate: (text: string) => boolean): Promise<string>;
  /** Leaves, as a browser does that closes the page. */
  abort(): void;
  pause(): void;
  resume(): void;
  /** While paused: takes so many bytes, if as many have arrived. */
  read(bytes: number): void;
}

export function openRawStream(request: StreamRequest): StreamClient {
  let text = '';
  let taken = 0;
  const events: EventSourceMessage[] = [];
  const watch = new Watch();
  const parser = createParser({ onEvent: (event) => events.push(event) });
  const decoder = new TextDecoder();

  const response = new Deferred<{ status: number; headers: IncomingHttpHeaders }>();
  const ended = new Deferred<string>();
  const closed = new Deferred<void>();
  const sent = exchange(request, {
    onResponse: (status, headers) => response.resolve({ status, headers }),
    onData(chunk) {
      const part = decoder.decode(chunk, { stream: true });
      text += part;
      parser.feed(part);
      watch.changed();
    },
    onEnd: () => ended.resolve(text),
    onClose(error = new Error('the response was cut')) {
      response.reject(error);
      ended.reject(error);
      closed.resolve();
      watch.end(error.message);
    },
  });
  const explain = (what: string) => (why: string) =>
    new Error(`waited for ${what}: ${why}; got:\n${text.slice(-400)}`);

  return {
    response: response.promise,
    ended: ended.promise,
    closed: closed.promise,
    events,
    get text() {
      return text;
    },
    next: () => {
      const index = taken++;
      return watch.until(() => events[index], explain(`event ${index + 1}`));
    },
    take(count) {
      return Promise.all(Array.from({ length: count }, () => this.next()));
    },
    until: (predicate) =>
      watch.until(() => (predicate(text) ? text : undefined), explain('a text')),
    abort: () => sent.abort(),
    pause: () => sent.body.pause(),
    resume: () => sent.body.resume(),
    read: (bytes) => void sent.body.read(bytes),
  };
}
