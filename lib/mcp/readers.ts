import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Subscription } from 'rxjs';
import type { Broadcaster } from '../hub/broadcaster.js';
import type { SseEvent } from '../log/event.js';
import { formatEventId, type Place } from './event-id.js';
import { EVENT } from './hosted-session.js';
import { Reply } from './reply.js';
import type { SessionRooms } from './session-rooms.js';

interface ReadersOptions {
  readonly retryMs: number | false;
  readonly keepAliveMs: number | false;
}

/** Where a connection gets its messages from. */
export interface Source {
  readonly session: string;
  readonly rooms: SessionRooms;
  readonly stream: string;
}

/** The connections of this process that read streams of sessions, whoever has the servers. */
export class Readers {
  private readonly open = new Map<string, Set<Reply>>();

  constructor(
    private readonly broadcaster: Broadcaster,
    private readonly options: ReadersOptions,
  ) {}

  /** The sessions that have a connection here. */
  get sessions(): Iterable<string> {
    return this.open.keys();
  }

  has(session: string): boolean {
    return this.open.has(session);
  }

  /**
   * Begins a stream, and reads it from then on. Nothing is answered yet, so that the request can
   * still be refused.
   */
  async begin({ rooms, stream }: Source): Promise<Reading> {
    const room = rooms.of(stream);
    const begin = await this.broadcaster.publish(room, { type: EVENT.begin, data: '' });
    return new Reading(this.broadcaster, room, stream, begin);
  }

  /** Answers with a stream from its beginning. */
  read(response: ServerResponse, session: string, reading: Reading, takesIds: boolean): void {
    const reply = this.reply(response, session);
    const id = formatEventId(reading.stream, reading.after);
    if (takesIds) reply.sendId(id, this.options.retryMs);
    reading.open(reply);
  }

  /** Answers with what comes after an event that the client has. */
  async resume(response: ServerResponse, source: Source, place: Place, id: string): Promise<void> {
    const reply = this.reply(response, source.session);
    let last = id.slice(id.indexOf('~') + 1);
    try {
      for await (const events of source.rooms.after(place)) {
        const messages = events.filter(hasMessage);
        await reply.sendAll(
          messages.map((event) => [formatEventId(source.stream, event.id ?? ''), event.data]),
        );
        last = events.at(-1)?.id ?? last;
        if (reply.isOver) return;
        if (events.at(-1)?.type === EVENT.end) return reply.end();
      }
    } catch (error) {
      // It comes back, and is told then what is no longer kept.
      reply.cut();
      throw error;
    }
    if (reply.isOver) return;
    const room = source.rooms.of(source.stream);
    new Reading(this.broadcaster, room, source.stream, last).open(reply);
  }

  /** Ends the connections of a session, or all. */
  end(session?: string): void {
    const sets = session === undefined ? [...this.open.values()] : [this.open.get(session) ?? []];
    for (const replies of sets) for (const reply of replies) reply.end();
  }

  private reply(response: ServerResponse, session: string): Reply {
    const onClosed = (): void => {
      const replies = this.open.get(session);
      replies?.delete(reply);
      if (replies?.size === 0) this.open.delete(session);
    };
    const reply: Reply = new Reply(response, {
      session,
      keepAliveMs: this.options.keepAliveMs,
      onClosed,
    });
    if (reply.isOver) return reply;
    const replies = this.open.get(session) ?? new Set();
    this.open.set(session, replies.add(reply));
    return reply;
  }
}

/** What comes in a stream after a position, for one connection. */
export class Reading {
  private readonly token = randomUUID();
  private readonly subscription: Subscription;
  private waiting: SseEvent[] = [];
  private reply: Reply | undefined;
  /** Whether this connection is the one that reads the stream. */
  private isReader = false;

  constructor(
    broadcaster: Broadcaster,
    room: string,
    readonly stream: string,
    /** The position. */
    readonly after: string,
  ) {
    const events$ = broadcaster.stream(room, { lastEventId: after, connection: false });
    this.subscription = events$.subscribe({
      next: (event) => this.take(event),
      // For the client, as a broken connection: it comes back.
      error: () => this.reply?.cut(),
      complete: () => this.reply?.end(),
    });
    // A message goes to one connection of a stream: to the one that came last, as the one before
    // it may have broken without a sign. A failure is logged by the hub.
    const taken = { type: EVENT.taken, data: this.token };
    void broadcaster.publish(room, taken, { ephemeral: true });
  }

  open(reply: Reply): void {
    this.reply = reply;
    reply.onClosed(() => this.close());
    if (reply.isOver) return this.close();
    if (this.subscription.closed) return reply.cut();
    for (const event of this.waiting.splice(0)) this.take(event);
  }

  close(): void {
    this.subscription.unsubscribe();
  }

  private take(event: SseEvent): void {
    const { reply } = this;
    if (reply === undefined) return void this.waiting.push(event);
    const { type, data, id = '' } = event;
    if (hasMessage(event)) reply.send(formatEventId(this.stream, id), data);
    if (type === EVENT.end || type === EVENT.close) return reply.end();
    // More was published than one resume has, while it began.
    if (type === 'sse-gap') return reply.cut();
    if (type !== EVENT.taken) return;
    if (data === this.token) this.isReader = true;
    else if (this.isReader) reply.end();
  }
}

function hasMessage({ type, data }: SseEvent): boolean {
  return (type === EVENT.message || type === EVENT.end) && data !== null;
}
