import { Loop, type EventReader } from './loop.js';
import { readerFor, Readers } from './readers.js';
import type { ControlEvents, StreamEvent } from './stream-event.js';
import type { StreamEnd, StreamObserver } from './stream-state.js';

/** The key of RxJS, even if nothing has defined the symbol. */
const observable = (Symbol as { readonly observable?: symbol }).observable ?? '@@observable';

/** The half of a stream that gives events to whoever reads them. */
export abstract class ReadEvents<Events extends object> implements AsyncIterable<
  StreamEvent<Events>
> {
  protected readonly readers = new Readers<StreamEvent<Events>>();
  protected ended: StreamEnd | undefined;

  constructor() {
    Object.defineProperty(this, observable, { value: () => this });
  }

  /** Closes the stream. A second call does nothing. */
  abstract readonly close: () => void;

  /**
   * Calls the listener for each event of this type; an event without a type is a `message`. Errors
   * in the listener are reported as uncaught. Returns a function that removes the listener.
   */
  on<Type extends (keyof Events & string) | keyof ControlEvents>(
    type: Type,
    listener: (event: StreamEvent<Events, Type>) => void,
  ): () => void {
    const reader = readerFor<StreamEvent<Events>>((event) => {
      if (event.type === type) listener(event as StreamEvent<Events, Type>);
    });
    this.add(reader);
    return () => void this.readers.remove(reader);
  }

  /**
   * Calls the observer for each event, and finally `error` if the stream failed, else `complete`.
   * RxJS' `from(stream)` uses it. When the last subscription or loop ends, the stream closes.
   */
  subscribe(
    observer: StreamObserver<StreamEvent<Events>> | ((event: StreamEvent<Events>) => void),
  ): { unsubscribe(): void } {
    const reader = readerFor(observer);
    this.add(reader, true);
    return { unsubscribe: () => this.letGo(reader) };
  }

  /**
   * Iterates over events. They are read on demand, so a slow loop slows the server down. Throws if
   * the stream failed. When the last subscription or loop ends, the stream closes.
   */
  [Symbol.asyncIterator](): AsyncIterator<StreamEvent<Events>, undefined> {
    const loop: Loop<StreamEvent<Events>> = new Loop(
      () => this.readers.changed(),
      () => this.letGo(loop),
    );
    this.add(loop, true);
    return loop;
  }

  protected add(reader: EventReader<StreamEvent<Events>>, isHolder = false): void {
    if (this.ended === undefined) this.readers.add(reader, isHolder);
    else reader.end(this.ended.error);
  }

  protected letGo(reader: EventReader<StreamEvent<Events>>): void {
    if (this.readers.remove(reader)) this.close();
  }
}
