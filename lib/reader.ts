import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { CursorSource } from './client-cursor.js';
import type { SseConnection } from './connection.js';
import { parseCursors, type Position, type Stand } from './cursor.js';
import { SseError } from './errors.js';
import type { HubEvent, LoggedEvent, PublishedEvent, SseEvent } from './event.js';
import type { EventLog, Head } from './event-log.js';
import type { HubStreamOptions } from './hub.options.js';
import type { SseMessage } from './frame.js';
import { SSE_DEFAULTS } from './sse.options.js';
import { Pipeline } from './pipeline.js';
import { readMissed, readRewind, type Missed } from './resume.js';

/** What a reader needs of its hub. */
export interface ReaderHub<Events extends object> {
  readonly log: EventLog;
  /** Up to here every live reader has got everything. */
  readonly delivered: Head;
  readonly keepsHistory: boolean;
  readonly delivery: {
    leave(reader: Reader<Events>): void;
    eventOf(logged: LoggedEvent): HubEvent;
  };
}

/** After so many events of a replay, or messages of a snapshot, the client has to take more first. */
const REPLAY_SLICE = 64;

/**
 * One subscription to the events of some rooms: what the client missed, then what comes, in the order of the hub.
 */
export class Reader<Events extends object> implements CursorSource {
  private readonly types: ReadonlySet<string> | undefined;
  /** Live events that came while missed ones are read and replayed. */
  private waiting: HubEvent[] | undefined;
  private waitingBytes = 0;
  /** Events up to here have been given already, by the replay or before the stream began. */
  private after: Position = 0;
  private readonly pipeline = new Pipeline();
  /** Events are delivered from wherever they are published: the app's stores are those of the subscription. */
  private readonly context = new AsyncResource('SseReader', { requireManualDestroy: true });

  constructor(
    private readonly hub: ReaderHub<Events>,
    readonly rooms: readonly string[],
    private readonly options: HubStreamOptions<Events>,
    private readonly subscriber: Subscriber<SseEvent<Events>>,
    /** Absent where a stream is read by something else than a connection, such as a WebSocket gateway. */
    readonly connection: SseConnection | undefined,
  ) {
    this.types = options.types && new Set<string>(options.types);
  }

  /** From now on events may be delivered. */
  start(): void {
    const { rewind, snapshot } = this.options;
    const cursor = this.clientCursor();
    const rewinds = this.hub.keepsHistory && rewind !== undefined;
    this.pipeline.left = cursor === undefined ? undefined : this.positionOf(cursor);
    this.connection?.cursor.track(this);
    if (cursor === undefined && !rewinds && snapshot === undefined) {
      const { position } = this.hub.delivered;
      this.pipeline.left = position;
      this.goLive(position);
      return;
    }
    this.waiting = [];
    this.catchUp(cursor).catch((error: unknown) => this.subscriber.error(error));
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
    this.waiting.push(event);
    this.waitingBytes += event.frame.length;
    const { maxBufferedBytes } = this.connection?.settings ?? SSE_DEFAULTS.backpressure;
    if (this.waitingBytes <= maxBufferedBytes) return;
    if (this.connection !== undefined) return this.connection.destroy('overflow');
    const remedy = 'more events came than fit while missed ones were read; read fewer rooms';
    this.subscriber.error(new SseError('SSE_OVERFLOW', remedy));
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
    const { epoch, position: delivered } = this.hub.delivered;
    const isHeld = this.waiting !== undefined || !this.pipeline.isEmpty;
    const { left } = this.pipeline;
    const position = isHeld ? left : Math.max(delivered, this.after, left ?? 0);
    return { epoch, position, isHeld };
  }

  knows(id: string): boolean {
    return this.positionOf(id) !== undefined;
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
    const { snapshot, onGap = 'tail' } = this.options;
    const missed = await this.read(lastEventId);
    if (this.subscriber.closed) return;
    for (const gap of missed.gaps) this.tell({ type: 'sse-gap', data: gap });
    const lost = missed.gaps.flatMap(({ rooms }) => rooms);
    if (lost.length > 0 && onGap === 'end') {
      this.subscriber.complete();
      return;
    }
    if (snapshot !== undefined && (lastEventId === undefined || lost.length > 0)) {
      // A snapshot may take its time, and what it throws is no response status any more.
      this.connection?.open();
      const messages = await (lost.length > 0
        ? snapshot('gap', lost)
        : snapshot('fresh', [...this.rooms]));
      if (this.subscriber.closed) return;
      await this.inSlices(messages, (message) => this.tell(message));
      if (this.subscriber.closed) return;
    }
    this.pipeline.left = missed.stood;
    if (lost.length === 0 || onGap === 'tail') {
      const events = missed.events.map((event) => this.hub.delivery.eventOf(event));
      await this.inSlices(
        events.filter((event) => this.wants(event)),
        (event) => this.pass(event),
      );
    }
    if (this.subscriber.closed) return;
    this.goLive(missed.barrier);
    this.connection?.tellCursor();
  }

  private read(lastEventId: string | undefined): Promise<Missed> {
    const { log, keepsHistory } = this.hub;
    const { rewind } = this.options;
    if (lastEventId !== undefined) {
      const missed = readMissed(log, this.rooms, lastEventId);
      return this.connection?.isOftenCut
        ? missed.then((all) => withoutReplay(all, this.rooms))
        : missed;
    }
    if (!keepsHistory || rewind === undefined) return nothingMissed(this.hub);
    return readRewind(
      log,
      this.rooms,
      typeof rewind === 'number' ? { count: rewind } : { since: (Date.now() - rewind.ms) * 1000 },
    );
  }

  /** Not more at once than the client takes. */
  private async inSlices<T>(items: readonly T[], give: (item: T) => void): Promise<void> {
    for (let from = 0; from < items.length; from += REPLAY_SLICE) {
      for (const item of items.slice(from, from + REPLAY_SLICE)) give(item);
      if (this.subscriber.closed) return;
      // It rejects when the connection has ended, and then so has this subscription.
      await this.connection?.room().catch(() => {});
    }
  }

  /** What waited follows the replay without a break: from here on nothing is asynchronous. */
  private goLive(barrier: Position): void {
    this.after = barrier;
    for (const event of this.waiting ?? []) {
      if (event.position === undefined || event.position > barrier) this.pass(event);
    }
    this.waiting = undefined;
  }

  private wants({ type = '' }: HubEvent): boolean {
    return this.types === undefined || this.types.has(type);
  }

  private pass(event: HubEvent): void {
    this.context.runInAsyncScope(() => this.passInContext(event));
  }

  /** What the filters of the stream leave out never enters the pipeline, so it holds nothing back. */
  private passInContext(hubEvent: HubEvent): void {
    if (this.subscriber.closed) return;
    const event = hubEvent as PublishedEvent as SseEvent<Events>;
    try {
      if (this.options.filter?.(event) === false) return;
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    if (this.options.lastEventId === false) {
      this.subscriber.next(hubEvent.withoutId as PublishedEvent as SseEvent<Events>);
      return;
    }
    if (hubEvent.position !== undefined) this.pipeline.enter(hubEvent);
    this.subscriber.next(event);
  }

  /** To the client directly: the handler's operators are for events. */
  private tell(message: SseMessage): void {
    if (this.connection === undefined) {
      this.subscriber.next({ ...message, rooms: this.rooms } as PublishedEvent as SseEvent<Events>);
    } else if (this.connection.state !== 'closed') {
      this.connection.tell(message);
    }
  }
}

/** For a client that was cut again and again while its backlog was replayed. */
function withoutReplay(missed: Missed, own: readonly string[]): Missed {
  if (missed.events.length === 0) return missed;
  const rooms = own.filter((room) => missed.events.some((event) => event.rooms.includes(room)));
  return { ...missed, events: [], gaps: [...missed.gaps, { rooms, reason: 'overflow' }] };
}

async function nothingMissed<Events extends object>({
  log,
  keepsHistory,
}: ReaderHub<Events>): Promise<Missed> {
  const barrier = keepsHistory ? (await log.head()).position : 0;
  return { gaps: [], events: [], barrier, stood: barrier };
}
