import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { Stream } from '../connection/stream.js';
import type { EventMap, HubEvent, PublishedEvent, SseEvent } from '../log/event.js';
import type { Gap } from '../log/event-log.js';
import type { Batch, FrameSource } from '../output/batch.js';
import type { SseMessage } from '../wire/frame.js';
import { diagnostics } from './diagnostics.js';
import type { HubStreamOptions } from './hub.options.js';
import type { InFlight } from './in-flight.js';
import type { Run } from './run.js';

/** Events of a turn that have passed the filter of a reader. */
interface Passed {
  readonly events: HubEvent[];
  bytesLeft: number;
  /** They and nothing else: all readers that take the same share it. */
  batch: Batch;
}

/**
 * Passes the events of a subscription through the app's filter into the handler's operators. Gaps
 * and snapshots go directly to the client. The app's code runs in the async context of the
 * subscription, wherever an event was published.
 */
export class Outlet extends AsyncResource implements FrameSource {
  private readonly types: ReadonlySet<string> | undefined;
  /** The types of the events that end the stream. */
  private readonly until: ReadonlySet<string> | undefined;
  /** Whether the stream writer itself is the subscriber: there are no operators. */
  private readonly isWritten: boolean;
  /** What the stream gets next: the events of this run from this index on. */
  private run: Run | undefined;
  private from = 0;
  /** Or these events, which have passed the filter. */
  private passed: Passed | undefined;

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
    this.isWritten = connection?.isWrittenBy(subscriber) === true;
  }

  /** Whether an event can end the stream. */
  get hasLast(): boolean {
    return this.until !== undefined;
  }

  /** Whether no code of the app runs. */
  private get isDirect(): boolean {
    return this.isWritten && this.options.filter === undefined;
  }

  /** Whether the stream may get the events of a turn as one. */
  private get mayCollect(): boolean {
    // The stream leaves out what the contract of its route does not have.
    return this.isWritten && !this.hasLast && this.connection?.settings.contract === undefined;
  }

  private get hasIds(): boolean {
    return this.options.lastEventId !== false;
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
    // Older events first.
    if (this.run !== undefined) this.connection?.settle();
    // Entering the async context for each event costs as much as writing it.
    if (this.isDirect) this.next(event);
    else this.runInAsyncScope(() => this.passInContext(event));
  }

  /**
   * Enters a run with its next event, so that the stream gets its events as one. Returns false if
   * the event has to be passed by itself.
   */
  enter(run: Run): boolean {
    if (this.run === run) return true;
    if (!this.isDirect || !this.mayCollect) return false;
    const room = this.connection?.expect(this) ?? 0;
    if (room === 0) return false;
    this.run = run;
    this.from = run.enter(room);
    return true;
  }

  /** Gives the events of a run to the stream. Like `next()` for each, but none of it can fail. */
  take(batch: Batch | undefined): Batch | undefined {
    const { run, from, passed } = this;
    this.passed = undefined;
    if (passed !== undefined) return this.append(passed, batch);
    if (run === undefined) return batch;
    this.run = undefined;
    const takesAll = batch === undefined && this.types === undefined && this.hasIds;
    const taken = takesAll
      ? run.all(from)
      : run.some(batch, from, (event) => this.wants(event), this.hasIds);
    if (taken.position !== undefined) this.inFlight.passed(taken.position);
    run.leave();
    return taken.batch;
  }

  private append({ events, batch: own }: Passed, batch: Batch | undefined): Batch {
    for (const { position } of events) if (position !== undefined) this.inFlight.passed(position);
    if (batch === undefined) return own;
    return events.reduce((all, { frame }) => all.append(frame, true), batch);
  }

  /** Keeps an event for the end of the turn. Returns false if it has to be passed by itself. */
  private collect(event: HubEvent): boolean {
    if (!this.mayCollect) return false;
    if (this.passed === undefined) {
      const { connection } = this;
      const bytesLeft = connection?.expect(this) ?? 0;
      if (connection === undefined || bytesLeft === 0) return false;
      this.passed = { events: [], bytesLeft, batch: connection.host.turn.root };
    }
    const { passed } = this;
    const own = this.hasIds ? event : event.withoutId;
    passed.events.push(own);
    passed.batch = passed.batch.append(own.frame, true);
    passed.bytesLeft -= Buffer.byteLength(own.frame);
    if (passed.bytesLeft <= 0) this.connection?.settle();
    return true;
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
    if (!this.collect(event)) this.next(event);
  }

  private next(event: HubEvent): void {
    const { subscriber } = this;
    if (subscriber.closed) return;
    if (!this.hasIds) {
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
