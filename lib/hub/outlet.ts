import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { Stream } from '../connection/stream.js';
import { SseError } from '../ground/errors.js';
import {
  HubEvent,
  type EventMap,
  type LoggedEvent,
  type PublishedEvent,
  type SseEvent,
} from '../log/event.js';
import type { Gap } from '../log/event-log.js';
import type { Batch, FrameSource } from '../output/batch.js';
import type { Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import { isStateChange, SSE_STATE } from '../wire/protocol.js';
import { isReserved, isRoster, shownRooms } from '../wire/room-names.js';
import { diagnostics } from './diagnostics.js';
import type { HubStreamOptions } from './hub.options.js';
import type { InFlight } from './in-flight.js';
import { LastEvents } from './last-events.js';
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
  /** What ends the stream. */
  private readonly last: LastEvents | undefined;
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
    this.last = until && new LastEvents(until);
    this.types = types && new Set<string>([...types, ...(this.last?.types ?? [])]);
    this.isWritten = connection?.isWrittenBy(subscriber) === true;
  }

  /** Whether an event can end the stream. */
  get hasLast(): boolean {
    return this.last !== undefined;
  }

  /** Whether no code of the app runs. */
  private get isDirect(): boolean {
    const isFiltered = this.options.filter !== undefined || this.last?.needApp === true;
    return this.isWritten && !isFiltered;
  }

  /** Whether the stream may get the events of a turn as one. */
  private get mayCollect(): boolean {
    // The stream leaves out what the contract of its route does not have.
    return this.isWritten && !this.hasLast && this.connection?.settings.contract === undefined;
  }

  private get hasIds(): boolean {
    return this.options.lastEventId !== false;
  }

  /** Whether the message ends the stream, if the stream gets it. May throw what the app throws. */
  isLast(message: SseMessage | PublishedEvent): boolean {
    const { last } = this;
    return last !== undefined && this.runInAsyncScope(() => last.has(message));
  }

  /** Whether `isLast()` has to be asked. Runs no code of the app. */
  mayBeLast(message: { readonly type?: string | undefined }): boolean {
    return this.last?.mayHave(message) === true;
  }

  wants({ type = '', except }: Pick<HubEvent, 'type' | 'except'>): boolean {
    if (except !== undefined && except === this.connection?.identity?.client) return false;
    return this.types === undefined || this.types.has(type) || isStateChange(type);
  }

  passesFilter(event: HubEvent): boolean {
    // The app asked for the roster by another option.
    if (isRoster(event.rooms[0] ?? '')) return true;
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

  /** Whether the stream gets every event of its rooms as it is. */
  get takesAll(): boolean {
    return this.isDirect && this.mayCollect && this.types === undefined && this.hasIds;
  }

  /**
   * Gives missed events to the stream as one. For an outlet that takes all. Returns false if the
   * stream cannot take them now.
   * @param last the position of the last one
   */
  passAll(batch: Batch, last: Position | undefined): boolean {
    if (this.connection?.writeAll(batch) !== true) return false;
    if (last !== undefined) this.inFlight.passed(last);
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
    if (this.hasLast && this.ends(event)) this.complete();
  }

  private ends(event: HubEvent): boolean {
    // An event for users is of no room that could end.
    if (!this.mayBeLast(event) || event.rooms.every(isReserved)) return false;
    try {
      return this.isLast(event);
    } catch (error) {
      this.subscriber.error(error);
      return false;
    }
  }

  sendGap(gap: Gap): void {
    const { connection } = this;
    diagnostics.gap.publish({ connection, ...gap });
    const shown = { ...gap, rooms: shownRooms(gap.rooms) };
    if (connection === undefined) this.send({ type: 'sse-gap', data: shown });
    else if (connection.state !== 'closed') connection.sendControl('sse-gap', shown);
  }

  /** Bypasses the handler's operators, which are for events only. */
  send(message: SseMessage): void {
    if (this.connection === undefined) {
      this.subscriber.next({ ...message, rooms: this.rooms } as PublishedEvent);
    } else if (this.connection.state !== 'closed') {
      this.connection.writeAlways(this.connection.checked(message));
    }
  }

  /** Like `send()`, for the beginning of the state of rooms. */
  sendState(rooms: readonly string[], entries: number): void {
    const data = { rooms, entries };
    if (this.connection === undefined) this.send({ type: SSE_STATE, data });
    else if (this.connection.state !== 'closed') this.connection.sendControl(SSE_STATE, data);
  }

  /** Like `send()`, for an entry. The contract of a route does not have it. */
  sendEntry(entry: LoggedEvent): void {
    if (this.connection === undefined) {
      this.subscriber.next(new HubEvent(entry).withoutId);
    } else if (this.connection.state !== 'closed') {
      this.connection.writeEntry(entry);
    }
  }

  complete(): void {
    this.runInAsyncScope(() => this.subscriber.complete());
  }

  /** New events filled the buffer before the client had caught up. */
  overflow(): void {
    if (this.connection !== undefined) return this.connection.destroy('overflow');
    const remedy = 'new events filled the buffer during the replay; subscribe to fewer rooms';
    this.fail(new SseError('SSE_OVERFLOW', remedy));
  }

  fail(error: unknown): void {
    this.runInAsyncScope(() => this.subscriber.error(error));
  }
}
