import { AsyncResource } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import type { CursorSource, SseConnection } from './connection.js';
import { parseCursors, type Position, type Stand } from './cursor.js';
import { SseError } from './errors.js';
import {
  HubEvent,
  type EventType,
  type LoggedEvent,
  type PublishedEvent,
  type SseEvent,
} from './event.js';
import type { EventLog, Head } from './event-log.js';
import type { SseMessage } from './frame.js';
import { SSE_DEFAULTS } from './sse.options.js';
import { readMissed, readRewind, type Missed } from './resume.js';

/**
 * Which events of the rooms a stream has, and where it begins.
 * @publicApi
 */
export interface HubStreamOptions<Events extends object> {
  /** Only events for which it answers true. What it throws ends this stream only. */
  filter?: (event: SseEvent<Events>) => boolean;
  /** Only events of these types. */
  types?: readonly EventType<Events>[];
  /**
   * The cursor after which the stream goes on. `false`: the stream has ids of its own; it begins with what is published
   * from now on, and no cursor of the hub is written beside its events.
   * @default the last event ID of the connection that subscribes
   */
  lastEventId?: string | false;
  /** For a client without a cursor: so many of the last events, or those of the last milliseconds. Without it none. */
  rewind?: number | { ms: number };
  /**
   * The state that the events change: called for a client without a cursor (`fresh`) and for one that has missed events
   * of `rooms` which cannot be replayed (`gap`). Its messages go to the client as they are, and everything that was
   * published after it was called follows them. What it throws ends the stream.
   */
  snapshot?: (reason: 'fresh' | 'gap', rooms: string[]) => Promise<readonly SseMessage[]>;
  /**
   * After a client was told of a gap: `tail` replays what it missed in the other rooms and goes live, `skip` goes live,
   * `end` completes the stream.
   * @default 'tail'
   */
  onGap?: 'tail' | 'skip' | 'end';
}

/** What a reader needs of its hub. */
export interface ReaderHub<Events extends object> {
  readonly log: EventLog;
  /** Up to here every live reader has got everything. */
  readonly delivered: Head;
  readonly keepsHistory: boolean;
  readonly delivery: { leave(reader: Reader<Events>): void };
}

/** How many events inside a handler's operators are told apart. */
const MAX_REMEMBERED = 1_000;

/** After so many events a replay waits until the client takes more. */
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
  /** The newest event that has gone into the handler's pipeline and not come out, and those before it. */
  private newest: HubEvent | undefined;
  private older: HubEvent[] | undefined;
  /** The last position that came out of it, or where the client stood before. */
  private left: Position | undefined;
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
    this.left = cursor === undefined ? undefined : this.positionOf(cursor);
    this.connection?.track(this);
    if (cursor === undefined && !rewinds && snapshot === undefined) {
      this.left = this.hub.delivered.position;
      this.goLive(this.left);
      return;
    }
    this.waiting = [];
    this.catchUp(cursor).catch((error: unknown) => this.subscriber.error(error));
  }

  /** With the subscription it serves. */
  unsubscribe(): void {
    this.connection?.untrack(this);
    this.hub.delivery.leave(this);
  }

  deliver(event: HubEvent): void {
    if (this.types !== undefined && !this.types.has(event.type ?? '')) return;
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
    const isHeld = this.waiting !== undefined || this.newest !== undefined;
    const position = isHeld ? this.left : Math.max(delivered, this.after, this.left ?? 0);
    return { epoch, position, isHeld };
  }

  knows(id: string): boolean {
    return this.positionOf(id) !== undefined;
  }

  holds(id: string): boolean {
    return this.newest?.id === id || (this.older?.some((event) => event.id === id) ?? false);
  }

  cameOut(id: string): void {
    if (this.newest?.id === id) {
      this.left = this.newest.position;
      this.newest = undefined;
      this.older = undefined;
      return;
    }
    // Those before it were dropped, or come out after it: the client's cursor has passed them either way.
    const index = this.older?.findIndex((event) => event.id === id) ?? -1;
    this.left = this.older?.[index]?.position ?? this.left;
    this.older?.splice(0, index + 1);
  }

  /** The last event ID that the client brought for this stream; each room begins there once per connection. */
  private clientCursor(): string | undefined {
    const { lastEventId } = this.options;
    if (!this.hub.keepsHistory || lastEventId === false) return undefined;
    const brought = this.connection?.lastEventId;
    if (lastEventId !== undefined || brought === undefined) return lastEventId || undefined;
    return this.connection?.claim(this.hub, this.rooms) ? brought : undefined;
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
      for (const message of messages) {
        this.tell(message);
        await this.room();
      }
    }
    this.left = missed.stood;
    if (lost.length === 0 || onGap === 'tail') await this.replay(missed.events);
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

  private async replay(events: readonly LoggedEvent[]): Promise<void> {
    for (let from = 0; from < events.length; from += REPLAY_SLICE) {
      for (const event of events.slice(from, from + REPLAY_SLICE)) this.pass(new HubEvent(event));
      if (this.subscriber.closed) return;
      await this.room();
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

  /** Until the client takes more. */
  private async room(): Promise<void> {
    if (this.connection?.hasRoom === false) {
      // It rejects when the connection has ended, and then so has this subscription.
      await this.connection.room().catch(() => {});
    }
  }

  private pass(event: HubEvent): void {
    this.context.runInAsyncScope(() => this.passInContext(event));
  }

  /** What the filters of the stream leave out never enters the pipeline, so it holds nothing back. */
  private passInContext(hubEvent: HubEvent): void {
    if (this.subscriber.closed) return;
    if (this.types !== undefined && !this.types.has(hubEvent.type ?? '')) return;
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
    if (hubEvent.position !== undefined) this.enter(hubEvent);
    this.subscriber.next(event);
  }

  private enter(event: HubEvent): void {
    if (this.newest !== undefined) {
      this.older ??= [];
      this.older.push(this.newest);
      // One that is forgotten does not move the client on when it comes out: it may be replayed, never lost.
      if (this.older.length > MAX_REMEMBERED) this.older.shift();
    }
    this.newest = event;
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
