import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { CursorSource } from '../connection/client-cursor.js';
import type { Stream } from '../connection/stream.js';
import { parseCursors, type Position, type Stand } from '../wire/cursor.js';
import { diagnostics } from './diagnostics.js';
import { SseError, SseOptionsError } from '../ground/errors.js';
import type { HubEvent, LoggedEvent, PublishedEvent, SseEvent } from '../log/event.js';
import type { EventLog, Gap, Head } from '../log/event-log.js';
import type { HubStreamOptions } from './hub.options.js';
import type { SseMessage } from '../wire/frame.js';
import { SSE_DEFAULTS } from '../options/defaults.js';
import { pathOf } from '../output/response.js';
import { warnOfUnusedOption } from '../ground/warnings.js';
import { Pipeline } from './in-flight.js';
import { readMissed, readRewind, REPLAY_CAP, type Missed } from '../log/resume.js';

/** What a reader needs of its hub. */
export interface ReaderHub<Events extends object> {
  readonly log: EventLog;
  /** Up to here every live reader has got everything. */
  readonly delivered: Head;
  readonly keepsHistory: boolean;
  readonly delivery: {
    leave(reader: Reader<Events>): void;
    eventOf(logged: LoggedEvent): HubEvent;
    knowsEpoch(epoch: string): boolean;
  };
}

/** After this many events of a replay, or messages of a snapshot, or bytes of them, the client has to take more first. */
const REPLAY_SLICE = { items: 64, bytes: 65_536 };

/**
 * One subscription to the events of some rooms: what the client missed, then what comes, in the order of the hub.
 */
export class Reader<Events extends object> implements CursorSource {
  private readonly types: ReadonlySet<string> | undefined;
  /** Of the events after which there are no more. */
  private readonly until: ReadonlySet<string> | undefined;
  /** Live events that came while missed ones are read and replayed. */
  private waiting: HubEvent[] | undefined;
  private waitingBytes = 0;
  /** Gaps that the hub told meanwhile. */
  private gaps: Gap[] = [];
  /** Where the hub's new log began, until the client has been told. */
  private begunAnewAt: Head | undefined;
  /** Events up to here have been given already, by the replay or before the stream began. */
  private after: Position = 0;
  /** The log that this reader's positions are of. It may know of a new one before its hub does. */
  private epoch = '';
  private pipeline = new Pipeline();
  /** Until it is called, or the client has caught up, the stream does not begin by itself. */
  private stopHolding: (() => void) | undefined;
  /** Events are delivered from wherever they are published: the app's stores are those of the subscription. */
  private readonly context = new AsyncResource('SseReader', { requireManualDestroy: true });

  constructor(
    private readonly hub: ReaderHub<Events>,
    readonly rooms: readonly string[],
    private readonly options: HubStreamOptions<Events>,
    private readonly subscriber: Subscriber<SseEvent<Events>>,
    /** Absent where a stream is read by something else than a connection, such as a WebSocket gateway. */
    readonly connection: Stream | undefined,
  ) {
    const { types, until } = options;
    this.types = types && new Set<string>([...types, ...(until ?? [])]);
    this.until = until && new Set<string>(until);
  }

  /** From now on events may be delivered. */
  start(): void {
    const { rewind, snapshot } = this.options;
    const cursor = this.clientCursor();
    const rewinds = this.hub.keepsHistory && rewind !== undefined;
    this.epoch = this.hub.delivered.epoch;
    this.pipeline.left = cursor === undefined ? undefined : this.positionOf(cursor);
    this.connection?.cursor.track(this);
    const { unusedByHubs } = this.connection?.settings ?? {};
    if (this.connection && unusedByHubs !== undefined) {
      warnOfUnusedOption(unusedByHubs, pathOf(this.connection.request));
    }
    // mutant: a new client of a finished job waits
    const mayBeOver = this.until !== undefined && this.hub.keepsHistory;
    if (cursor === undefined && !rewinds && snapshot === undefined && !mayBeOver) {
      const { position } = this.hub.delivered;
      this.pipeline.left = position;
      this.after = position;
      return;
    }
    this.collect();
    const caughtUp = this.catchUp(cursor).catch((error: unknown) => this.subscriber.error(error));
    // A client that needs a log which is away is refused, and comes back.
    const held = new Promise<void>((resolve) => (this.stopHolding = resolve));
    this.connection?.opening?.hold(Promise.race([caughtUp, held]));
  }

  /** With the subscription it serves. */
  unsubscribe(): void {
    this.connection?.cursor.untrack(this);
    this.hub.delivery.leave(this);
  }

  deliver(event: HubEvent): void {
    if (!this.wants(event)) return;
    if (this.waiting === undefined) {
      if (event.position === undefined || event.position > this.after) this.pass(event);
      return;
    }
    // mutant: live events are not held while missed ones are replayed
    this.waiting.push(event);
    this.waitingBytes += event.frame.length;
    const { maxBufferedBytes } = this.connection?.settings ?? SSE_DEFAULTS.backpressure;
    if (this.waitingBytes <= maxBufferedBytes) return;
    if (this.connection !== undefined) return this.connection.destroy('overflow');
    const remedy = 'more events came than fit while missed ones were read; read fewer rooms';
    this.subscriber.error(new SseError('SSE_OVERFLOW', remedy));
  }

  /** Events of these rooms did not reach this process, and will not: the client is told before anything later. */
  lost(gap: Gap): void {
    this.gaps = withGap(this.gaps, gap);
    if (this.waiting !== undefined) return;
    this.collect();
    this.goLive().catch((error: unknown) => this.subscriber.error(error));
  }

  /** The hub's log is another one: what was collected is told as lost, and positions begin again. */
  beginAnew(): void {
    if (!this.hub.keepsHistory) return;
    const { delivered } = this.hub;
    // A reader that has read the new log before its hub did has lost nothing, if it has read as far.
    if (this.epoch === delivered.epoch && this.after >= delivered.position) return;
    // No cursor of the new log before the client knows that it lost the old one.
    this.pipeline = new Pipeline();
    // mutant: another log is not noticed
    this.begunAnewAt = delivered;
    if (this.waiting !== undefined) this.collect();
    this.lost({ rooms: this.rooms, reason: 'epoch' });
  }

  /** From now on live events wait, none yet. */
  private collect(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }

  /** What was read is of the new log already: nothing of it is lost. */
  private forgetOldLog(): void {
    this.begunAnewAt = undefined;
    this.gaps = this.gaps.filter(({ reason }) => reason !== 'epoch');
  }

  /** The hub has ended. */
  end(): void {
    this.subscriber.complete();
  }

  /** Ends the connection, or where there is none, the stream. */
  close(reason: string | undefined): void {
    if (this.connection === undefined) this.subscriber.complete();
    else this.connection.close(reason);
  }

  /**
   * Where the client may go on from: never beyond an event that went into the handler's pipeline and has not come out.
   * An operator may hold an event back or drop it; which of the two cannot be seen, so until a later event comes out,
   * the client stands where the last one did.
   */
  get stand(): Stand | undefined {
    if (!this.hub.keepsHistory || this.options.lastEventId === false) return undefined;
    const { epoch } = this;
    // mutant: cursor passes what an operator holds back
    const isHeld = this.waiting !== undefined || !this.pipeline.isEmpty;
    const { left } = this.pipeline;
    const delivered = epoch === this.hub.delivered.epoch ? this.hub.delivered.position : 0;
    const position = isHeld ? left : Math.max(delivered, this.after, left ?? 0);
    return { epoch, position, isHeld };
  }

  knows(id: string): boolean {
    return parseCursors(id)?.some(({ epoch }) => this.hub.delivery.knowsEpoch(epoch)) ?? false;
  }

  holds(id: string): boolean {
    return this.pipeline.holds(id);
  }

  cameOut(id: string): void {
    this.pipeline.cameOut(id);
  }

  /** The last event ID that the client brought for this stream; each room begins there once per connection. */
  private clientCursor(): string | undefined {
    const { lastEventId } = this.options;
    if (!this.hub.keepsHistory || lastEventId === false) return undefined;
    const brought = this.connection?.lastEventId;
    if (lastEventId !== undefined || brought === undefined) return lastEventId || undefined;
    return this.connection?.cursor.claim(this.hub, this.rooms) ? brought : undefined;
  }

  private positionOf(lastEventId: string): Position | undefined {
    const { epoch } = this.hub.delivered;
    return parseCursors(lastEventId)?.find((cursor) => cursor.epoch === epoch)?.position;
  }

  private async catchUp(lastEventId: string | undefined): Promise<void> {
    const missed = await this.read(lastEventId);
    if (this.subscriber.closed) return;
    this.epoch = missed.epoch;
    const { begunAnewAt } = this;
    if (begunAnewAt?.epoch === missed.epoch && begunAnewAt.position <= missed.barrier) {
      this.forgetOldLog();
    }
    this.gaps.unshift(...missed.gaps);
    if (lastEventId === undefined) await this.giveSnapshot('fresh', this.rooms);
    else await this.tellGaps();
    if (this.subscriber.closed) return;
    if (this.begunAnewAt === undefined) await this.replay(missed);
    await this.goLive();
  }

  private async replay({ events, stood, barrier, gaps }: Missed): Promise<void> {
    this.pipeline.left = stood;
    this.after = barrier;
    if (gaps.length > 0 && this.options.onGap === 'skip') return;
    const shared = events
      .map((event) => this.hub.delivery.eventOf(event))
      .filter((event) => this.wants(event));
    if (shared.length > 0) {
      diagnostics.replay.publish({ connection: this.connection, events: shared.length });
    }
    await this.inSlices(shared, (event) => this.pass(event));
  }

  /** The gaps, and the state as it is now where the stream has one. */
  private async tellGaps(): Promise<void> {
    const { gaps } = this;
    if (gaps.length === 0) return;
    this.gaps = [];
    for (const gap of gaps) this.tellGap(gap);
    if (this.options.onGap === 'end') this.subscriber.complete();
    else await this.giveSnapshot('gap', [...new Set(gaps.flatMap(({ rooms }) => rooms))]);
  }

  private async giveSnapshot(reason: 'fresh' | 'gap', rooms: readonly string[]): Promise<void> {
    const { snapshot } = this.options;
    if (snapshot === undefined) return;
    // It may refuse with its own status, as long as it does not take its time.
    void this.connection?.opening?.patience().then(this.stopHolding);
    const messages: unknown = await this.context.runInAsyncScope(() =>
      snapshot(reason, [...rooms]),
    );
    if (!isList(messages)) {
      throw new SseOptionsError('stream().snapshot', 'a promise of a list of messages', messages);
    }
    await this.inSlices(messages, (message) => {
      this.tell(message);
      if (this.isLast(message)) this.subscriber.complete();
    });
  }

  private read(lastEventId: string | undefined): Promise<Missed> {
    const { log, keepsHistory } = this.hub;
    const { rewind } = this.options;
    if (lastEventId !== undefined) {
      const reads = log.readsFor?.(lastEventId) ?? log;
      // From the log itself: what this process knows of a room need not reach up to the newest of many events.
      const rest = this.options.onGap === 'rest' ? log : undefined;
      const missed = readMissed(reads, this.rooms, lastEventId, REPLAY_CAP, rest);
      return this.connection?.isOftenCut
        ? missed.then((all) => withoutReplay(all, this.rooms))
        : missed;
    }
    if (!keepsHistory || rewind === undefined) return Promise.resolve(nothingMissed(this.hub));
    return readRewind(
      log,
      this.rooms,
      typeof rewind === 'number' ? { count: rewind } : { since: (Date.now() - rewind.ms) * 1000 },
    );
  }

  /** Not more at once than the client takes: it must not be cut by what it is given because it came back. */
  private async inSlices<T>(items: readonly T[], give: (item: T) => void): Promise<void> {
    const { connection } = this;
    const maxBufferedBytes = connection?.settings.maxBufferedBytes ?? Infinity;
    const bytes = Math.min(REPLAY_SLICE.bytes, maxBufferedBytes / 2);
    for (const [n, item] of items.entries()) {
      if (this.subscriber.closed) return;
      give(item);
      const isFull = (n + 1) % REPLAY_SLICE.items === 0 || n + 1 === items.length;
      // It rejects when the connection has ended, and then so has this subscription.
      if (isFull || (connection?.bufferedBytes ?? 0) >= bytes)
        await connection?.writable().catch(() => {});
    }
  }

  /** First what was lost meanwhile; then what waited follows without a break: nothing there is asynchronous. */
  private async goLive(): Promise<void> {
    while (this.gaps.length > 0 && !this.subscriber.closed) await this.tellGaps();
    if (this.subscriber.closed) return;
    if (this.begunAnewAt !== undefined) {
      const { epoch, position } = this.begunAnewAt;
      this.epoch = epoch;
      this.after = position;
      this.pipeline.left = position;
      this.begunAnewAt = undefined;
    }
    for (const event of this.waiting ?? []) {
      if (event.position === undefined || event.position > this.after) this.pass(event);
    }
    this.waiting = undefined;
    if (this.subscriber.closed) return;
    this.connection?.sendCursor();
    // mutant: a client that has read the last event waits
    if (await this.isOver()) this.subscriber.complete();
  }

  /** Whether the last event was published before: read once the stream is live, so that a later one comes by itself. */
  private async isOver(): Promise<boolean> {
    const { log, keepsHistory } = this.hub;
    if (this.until === undefined || !keepsHistory) return false;
    const maxEvents = this.rooms.length;
    const maxBytes = Number.MAX_SAFE_INTEGER;
    const range = { after: 0, maxEvents, maxBytes, newest: true };
    const { rooms } = await log.read(this.rooms, range);
    const passed = Math.max(this.after, this.hub.delivered.position);
    return this.context.runInAsyncScope(() =>
      rooms
        .flatMap(({ entries }) => entries.slice(-1))
        // mutant: an end that has not arrived yet ends the stream
        .filter(({ event }) => event.position <= passed && this.isLast(event.message))
        .some(({ event }) => this.passesFilter(this.hub.delivery.eventOf(event))),
    );
  }

  private isLast({ type = '' }: { readonly type?: string | undefined }): boolean {
    return this.until?.has(type) ?? false;
  }

  private wants({ type = '' }: HubEvent): boolean {
    return this.types === undefined || this.types.has(type);
  }

  private passesFilter(event: HubEvent): boolean {
    return this.options.filter?.(event as PublishedEvent as SseEvent<Events>) !== false;
  }

  private pass(event: HubEvent): void {
    this.context.runInAsyncScope(() => this.passInContext(event));
  }

  /** What the filters of the stream leave out never enters the pipeline, so it holds nothing back. */
  private passInContext(hubEvent: HubEvent): void {
    if (this.subscriber.closed) return;
    try {
      if (!this.passesFilter(hubEvent)) return;
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    if (this.options.lastEventId === false) {
      this.subscriber.next(hubEvent.withoutId as PublishedEvent as SseEvent<Events>);
    } else {
      if (hubEvent.position !== undefined) this.pipeline.enter(hubEvent);
      this.subscriber.next(hubEvent as PublishedEvent as SseEvent<Events>);
    }
    // mutant: a replay goes on after the last event
    if (this.isLast(hubEvent)) this.subscriber.complete();
  }

  private tellGap(gap: Gap): void {
    const { connection } = this;
    diagnostics.gap.publish({ connection, ...gap });
    if (connection === undefined) this.tell({ type: 'sse-gap', data: gap });
    else if (connection.state !== 'closed') connection.sendControl('sse-gap', gap);
  }

  /** To the client directly: the handler's operators are for events. */
  private tell(message: SseMessage): void {
    if (this.connection === undefined) {
      this.subscriber.next({ ...message, rooms: this.rooms } as PublishedEvent as SseEvent<Events>);
    } else if (this.connection.state !== 'closed') {
      this.connection.writeAlways(message);
    }
  }
}

/** One entry per reason, however often events are lost while the client cannot be told. */
function withGap(gaps: readonly Gap[], { rooms, reason }: Gap): Gap[] {
  const before = gaps.find((gap) => gap.reason === reason)?.rooms ?? [];
  const others = gaps.filter((gap) => gap.reason !== reason);
  return [...others, { rooms: [...new Set([...before, ...rooms])], reason }];
}

/** For a client that was cut again and again while its backlog was replayed. */
function withoutReplay(missed: Missed, own: readonly string[]): Missed {
  if (missed.events.length === 0) return missed;
  const told = new Set(missed.gaps.flatMap(({ rooms }) => rooms));
  const rooms = own.filter(
    (room) => !told.has(room) && missed.events.some((event) => event.rooms.includes(room)),
  );
  if (rooms.length === 0) return { ...missed, events: [] };
  return { ...missed, events: [], gaps: [...missed.gaps, { rooms, reason: 'overflow' }] };
}

function isList(messages: unknown): messages is readonly SseMessage[] {
  return Array.isArray(messages);
}

/** What is published from now on is what is handed on from now on, and perhaps a little more. */
function nothingMissed<Events extends object>({ delivered }: ReaderHub<Events>): Missed {
  const { epoch, position } = delivered;
  return { gaps: [], events: [], barrier: position, epoch, stood: position };
}
