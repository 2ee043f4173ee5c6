import type { Subscriber } from 'rxjs';
import type { SseConnection } from './connection.js';
import type { EventType, HubEvent, PublishedEvent, SseEvent } from './event.js';

/** @publicApi */
export interface StreamFilter<Events extends object> {
  /** Only events for which it answers true. What it throws ends this stream only. */
  filter?: (event: SseEvent<Events>) => boolean;
  /** Only events of these types. */
  types?: readonly EventType<Events>[];
}

/** One subscription to the events of some rooms. */
export class Reader<Events extends object> {
  private readonly types: ReadonlySet<string> | undefined;
  private readonly filter: ((event: SseEvent<Events>) => boolean) | undefined;

  constructor(
    readonly rooms: readonly string[],
    { filter, types }: StreamFilter<Events>,
    private readonly subscriber: Subscriber<SseEvent<Events>>,
    /** Absent where a stream is read by something else than a connection, such as a WebSocket gateway. */
    readonly connection: SseConnection | undefined,
  ) {
    this.filter = filter;
    this.types = types && new Set<string>(types);
  }

  deliver(hubEvent: HubEvent): void {
    if (this.types !== undefined && !this.types.has(hubEvent.type ?? '')) return;
    const event = hubEvent as PublishedEvent as SseEvent<Events>;
    if (this.subscriber.closed) return;
    try {
      if (this.filter !== undefined && !this.filter(event)) return;
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    this.subscriber.next(event);
  }

  /** Ends the stream with an error, such as the end of the hub. */
  fail(error: unknown): void {
    this.subscriber.error(error);
  }

  /** Ends the connection, or where there is none, the stream. */
  close(reason: string | undefined): void {
    if (this.connection === undefined) this.subscriber.complete();
    else this.connection.close(reason);
  }
}
