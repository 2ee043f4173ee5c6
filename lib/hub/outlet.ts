import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { Stream } from '../connection/stream.js';
import type { EventMap, HubEvent, PublishedEvent, SseEvent } from '../log/event.js';
import type { Gap } from '../log/event-log.js';
import type { SseMessage } from '../wire/frame.js';
import { diagnostics } from './diagnostics.js';
import type { HubStreamOptions } from './hub.options.js';
import type { InFlight } from './in-flight.js';

/**
 * Passes the events of a subscription through the app's filter into the handler's operators. Gaps
 * and snapshots go directly to the client. The app's code runs in the async context of the
 * subscription, wherever an event was published.
 */
export class Outlet extends AsyncResource {
  private readonly types: ReadonlySet<string> | undefined;
  /** The types of the events that end the stream. */
  private readonly until: ReadonlySet<string> | undefined;
  /** Whether the stream writer itself is the subscriber, so that no code of the app runs. */
  private readonly isDirect: boolean;

  constructor(
    private readonly subscriber: Subscriber<PublishedEvent>,
    private readonly inFlight: InFlight,
    private readonly rooms: readonly string[],
    private readonly options: HubStreamOptions<EventMap>,
    private readonly connection: Stream | undefined,
  ) {
    super('SseSubscription', { requireManualDestroy: true });
    const { types, until } = options;
    this.types = types && new Set<string>([...types, ...(until ?? [])]);
    this.until = until && new Set<string>(until);
    this.isDirect = options.filter === undefined && connection?.isWrittenBy(subscriber) === true;
  }

  /** Whether an event can end the stream. */
  get hasLast(): boolean {
    return this.until !== undefined;
  }

  isLast(message: { readonly type?: string | undefined }): boolean {
    return this.until !== undefined && this.until.has(message.type ?? '');
  }

  wants(event: HubEvent): boolean {
    return this.types === undefined || this.types.has(event.type ?? '');
  }

  passesFilter(event: HubEvent): boolean {
    return this.options.filter?.(event as SseEvent) !== false;
  }

  pass(event: HubEvent): void {
    // Entering the async context for each event costs as much as writing it.
    if (this.isDirect) this.next(event);
    else this.runInAsyncScope(() => this.passInContext(event));
  }

  /**
   * An event that the filter rejects never enters the operators, so it never counts as in flight.
   */
  private passInContext(event: HubEvent): void {
    if (this.subscriber.closed) return;
    try {
      if (!this.passesFilter(event)) return;
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    this.next(event);
  }

  private next(event: HubEvent): void {
    const { subscriber } = this;
    if (subscriber.closed) return;
    if (this.options.lastEventId === false) {
      subscriber.next(event.withoutId);
    } else {
      if (event.position !== undefined) this.inFlight.enter(event);
      subscriber.next(event);
    }
    // mutant: a replay goes on after the last event
    if (this.isLast(event)) this.complete();
  }

  sendGap(gap: Gap): void {
    const { connection } = this;
    diagnostics.gap.publish({ connection, ...gap });
    if (connection === undefined) this.send({ type: 'sse-gap', data: gap });
    else if (connection.state !== 'closed') connection.sendControl('sse-gap', gap);
  }

  /** Bypasses the handler's operators, which are for events only. */
  send(message: SseMessage): void {
    if (this.connection === undefined) {
      this.subscriber.next({ ...message, rooms: this.rooms } as PublishedEvent);
    } else if (this.connection.state !== 'closed') {
      this.connection.writeAlways(this.connection.checked(message));
    }
  }

  complete(): void {
    this.runInAsyncScope(() => this.subscriber.complete());
  }

  fail(error: unknown): void {
    this.runInAsyncScope(() => this.subscriber.error(error));
  }
}
