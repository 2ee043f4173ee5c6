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
export interface ReaderHub {
  readonly log: EventLog;
  /** Up to here every live reader has got everything. */
  readonly delivered: Head;
  readonly keepsHistory: boolean;
}

/** After so many events a replay waits until the client takes more. */
const REPLAY_SLICE = 64;

/**
 * One subscription to the events of some rooms: what the client missed, then what comes, in the order of the hub.
 */
export class Reader<Events extends object> implements CursorSource {
  private readonly types: ReadonlySet<string> | undefined;
  /** Live events that came while missed ones are read and replayed. */
  private waiting: HubEvent[] | undefined = [];
  private waitingBytes = 0;
  /** Events up to here have been given already, by the replay or before the stream began. */
  private after: Position = 0;
  /** The last event that went into the handler's pipeline. */
  private entered: Position = 0;
  private enteredId: string | undefined;
  /** The last position that came out of it, or where the client stood before. */
  private left: Position | undefined;

  constructor(
    private readonly hub: ReaderHub,
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
    const { rewind, snapshot, lastEventId = this.connection?.lastEventId } = this.options;
    const cursor = this.hub.keepsHistory && lastEventId ? lastEventId : undefined;
    const rewinds = this.hub.keepsHistory && rewind !== undefined;
    if (cursor === undefined && !rewinds && snapshot === undefined) {
      this.goLive(this.hub.delivered.position);
      return;
    }
    this.catchUp(cursor).catch((error: unknown) => this.subscriber.error(error));
  }

  deliver(event: HubEvent): void {
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

  /** Ends the stream with an error, such as the end of the hub. */
  fail(error: unknown): void {
    this.subscriber.error(error);
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
    if (this.waiting !== undefined) return { epoch, position: undefined, isHeld: true };
    const isHeld = this.entered > (this.left ?? 0);
    const position = isHeld ? this.left : Math.max(delivered, this.after, this.entered);
    return { epoch, position, isHeld };
  }

  /** A message with this id has come out for the client. Answers whether the id is one of this hub. */
  cameOut(id: string): boolean {
    if (id === this.enteredId) {
      this.left = this.entered;
      return true;
    }
    const cursor = parseCursors(id)?.find(({ epoch }) => epoch === this.hub.delivered.epoch);
    if (cursor === undefined) return false;
    // A snapshot may carry a cursor of its own, which says nothing of the events that follow it.
    if (cursor.position <= this.entered) this.left = Math.max(this.left ?? 0, cursor.position);
    return true;
  }

  private async catchUp(lastEventId: string | undefined): Promise<void> {
    const { snapshot, onGap = 'tail' } = this.options;
    const missed = await this.read(lastEventId);
    if (this.subscriber.closed) return;
    this.left = missed.stood;

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
      for (const message of messages) this.tell(message);
    }
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

  /** What the filters of the stream leave out never enters the pipeline, so it holds nothing back. */
  private pass(hubEvent: HubEvent): void {
    if (this.subscriber.closed) return;
    if (this.types !== undefined && !this.types.has(hubEvent.type ?? '')) return;
    const event = hubEvent as PublishedEvent as SseEvent<Events>;
    try {
      if (this.options.filter?.(event) === false) return;
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    if (hubEvent.position !== undefined) {
      this.entered = hubEvent.position;
      this.enteredId = hubEvent.id;
    }
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

async function nothingMissed({ log, keepsHistory }: ReaderHub): Promise<Missed> {
  const barrier = keepsHistory ? (await log.head()).position : 0;
  return { gaps: [], events: [], barrier, stood: barrier };
}
