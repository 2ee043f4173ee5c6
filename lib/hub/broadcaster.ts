import { Logger, type InjectionToken } from '@nestjs/common';
import { Observable, type Subscriber } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { currentConnection, streamOf, type Stream } from '../connection/stream.js';
import { formatCursor } from '../wire/cursor.js';
import { Delivery } from './delivery.js';
import { diagnostics } from './diagnostics.js';
import { describe, preview, SseClosedError, SseError, SseLimitError } from '../ground/errors.js';
import {
  HubEvent,
  type EventData,
  type EventMap,
  type EventType,
  type PublishedEvent,
  type SseEvent,
} from '../log/event.js';
import type { EventLog, Head, NewEvent, RoomState } from '../log/event-log.js';
import { encodeBody, type SseMessage } from '../wire/frame.js';
import {
  checkHubStreamOptions,
  type EmitOptions,
  type HubOptions,
  type HubStreamOptions,
} from './hub.options.js';
import { newEvent } from './new-event.js';
import { positiveInteger } from '../options/rules.js';
import { Reader } from './reader.js';
import { isCovered, positionIn, REPLAY_CAP } from '../log/resume.js';
import { RareLine } from '../ground/warnings.js';
import { CONTROL_ROOM, roomList } from './rooms.js';
import { SSE_DEFAULTS } from '../options/defaults.js';
import type { LimitsOptions } from '../connection/connections.options.js';

/** Of wire text, of one page of `history()`. */
const PAGE_BYTES = 8 * 1_048_576;

/**
 * Some rooms of a hub, ready to be sent to.
 * @publicApi
 */
export interface Emitter<Events extends object> {
  /** As `Broadcaster.publish()`, checked against the event map. Never throws at once, and need not be awaited. */
  emit<Type extends EventType<Events>>(
    type: Type,
    data: EventData<Events, Type>,
    options?: EmitOptions,
  ): Promise<string>;
}

/**
 * A page of a room's history.
 * @publicApi
 */
export interface HistoryPage<Events extends object> {
  /** In the order in which they were published. */
  readonly events: SseEvent<Events>[];
  /** Whether nothing is missing between `after` and the first of them. */
  readonly covered: boolean;
  /** Whether more events are kept than fit: newer ones with `after`, older ones without. */
  readonly hasMore: boolean;
}

/**
 * A hub: events are published to rooms, and every connection in one of the rooms gets them, once and in one order.
 * @example
 * ```ts
 * interface Prices { price: { symbol: string; value: number } }
 * constructor(private readonly broadcaster: Broadcaster<Prices>) {}
 *
 * update(symbol: string, value: number) {
 *   return this.broadcaster.to(symbol).emit('price', { symbol, value });
 * }
 * ```
 * @publicApi
 */
export class Broadcaster<Events extends object = EventMap> {
  /** @internal */
  readonly delivery = new Delivery<Events>();
  /** @internal What a `ClassSerializerInterceptor` of the app does to data. */
  toPlain: ((data: unknown) => unknown) | undefined;
  private isClosed = false;
  private readonly failures = new RareLine();
  private readonly facts: Parameters<typeof newEvent>[3];

  /** @internal Hubs are made by `SseModule`. */
  constructor(
    /** @internal */
    readonly log: EventLog,
    private readonly options: HubOptions = {},
    private readonly name = '',
    private readonly limits: LimitsOptions = {},
  ) {
    this.facts = {
      serialize: options.serialize,
      keepsHistory: this.keepsHistory,
      maxBytes: limits.maxEventBytes ?? SSE_DEFAULTS.limits.maxEventBytes,
      maxRooms: limits.maxRoomsPerEvent ?? SSE_DEFAULTS.limits.maxRoomsPerEvent,
    };
  }

  /** @internal Up to here every live reader has got everything. */
  get delivered(): Head {
    // mutant: keep-alive cursor from a fresh head read
    return this.delivery.head;
  }

  /** @internal */
  get keepsHistory(): boolean {
    return this.options.history !== false;
  }

  /** Names the rooms of the next event. Several rooms: one event, which a connection in two of them gets once. */
  to(...rooms: string[]): Emitter<Events> {
    return {
      emit: (type, data, options) => this.publish(rooms, { type, data }, options),
    };
  }

  /**
   * Publishes a message to the rooms. Resolves with the event's cursor (`''` for an ephemeral event) once the log has
   * accepted it; never waits for a reader. What is published is what the message holds at this moment: changing its
   * objects afterwards changes nothing. A rejection that nobody awaits does not end the process. Every failure is published on the
   * `error` channel of `SSE_CHANNELS` and told by the log, at most once per 10 s.
   * @throws SseInvalidFieldError, SseSerializeError, SseClosedError; SseLimitError for more than `limits.maxEventBytes` or `limits.maxRoomsPerEvent`; or what
   * the log rejects with
   */
  publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options: EmitOptions = {},
  ): Promise<string> {
    const published = this.append(() =>
      newEvent(rooms, message, options, { ...this.facts, toPlain: this.toPlain }),
    );
    // What only a client has caused, such as the name of a room, and a log that is away must not end the process.
    published.catch((error: unknown) => this.logFailure(error));
    return published;
  }

  /** @internal Says something to all processes that have this hub; `delivery.onControl` hears it. */
  async tellAll(data: string): Promise<void> {
    const message: SseMessage = { data };
    const event = { rooms: [CONTROL_ROOM], message, body: encodeBody(message) };
    await this.append(() => ({ ...event, ephemeral: !this.keepsHistory }));
  }

  /** Never throws at once: what goes wrong rejects, and is published for whoever watches. */
  private async append(make: () => NewEvent): Promise<string> {
    try {
      const event = make();
      if (this.isClosed) throw new SseClosedError('the hub');
      const { epoch, position } = await this.log.append(event);
      if (diagnostics.publish.hasSubscribers) this.tellPublished(event);
      return position === undefined ? '' : formatCursor({ epoch, position });
    } catch (error) {
      const broadcaster = this as unknown as Broadcaster;
      diagnostics.error.publish({ error, connection: undefined, broadcaster });
      throw error;
    }
  }

  /** While a log is away, each event fails: that is not a line for each. */
  private logFailure(error: unknown): void {
    const failed = this.failures.again();
    if (failed === 0) return;
    const what =
      failed === 1 ? 'An event was not published' : `${failed} events were not published, the last`;
    logger.warn(`${what}: ${describe(error)}`);
  }

  private tellPublished({ rooms, message: { type }, body }: NewEvent): void {
    const bytes = Buffer.byteLength(body);
    const broadcaster = this as unknown as Broadcaster;
    diagnostics.publish.publish({ hub: this.name, broadcaster, rooms, type, bytes });
  }

  /**
   * The events of the rooms: those that the client has missed since its last event ID, then what is published, without a
   * gap or a double between them. What cannot be replayed is told first, by an event `sse-gap` with
   * `{ rooms, reason }`. Ends with the connection whose handler returned it, and when the app shuts down. One that is
   * subscribed to by hand ends with the `connection` that it names, or when it is unsubscribed.
   * @throws SseInvalidFieldError for a room without a name or with more than 256 characters; the stream fails with SseLimitError
   * for `limits.maxPerRoom` (which refuses a connection that has not begun) or `limits.maxRoomsPerConnection` (400)
   */
  stream(
    rooms: string | readonly string[],
    options: HubStreamOptions<Events> = {},
  ): Observable<SseEvent<Events>> {
    const list = roomList(rooms);
    checkHubStreamOptions('stream()', options);
    const { connection: named } = options;
    const given = named === undefined || named === false ? undefined : streamOf(named);
    return new Observable((subscriber) => {
      if (this.isClosed) throw new SseClosedError('the hub');
      const join = (reads: Stream | undefined): void => {
        if (subscriber.closed) return;
        this.checkPlaces(list, reads);
        const reader = new Reader(this, list, options, subscriber, reads);
        // In the room before anything is read: what is published meanwhile waits.
        // mutant: listener attached after history
        this.delivery.join(reader);
        subscriber.add(reader);
        reader.start();
      };
      if (named === false) return join(undefined);
      if (given !== undefined) endWith(given, subscriber);
      const connection = given ?? currentConnection.getStore();
      const { authorize = this.options.authorize } = options;
      if (authorize === undefined) return join(connection);
      if (connection === undefined) {
        const remedy =
          'give stream() the `connection`, or `connection: false` where nobody is to be asked';
        throw new SseError(
          'SSE_OPTIONS',
          `authorize is set, and there is no connection here: ${remedy}`,
        );
      }
      const fail = (error: unknown): void => subscriber.error(error);
      const granted = (): void => {
        try {
          join(connection);
        } catch (error) {
          // Not for want of a permission.
          fail(error);
        }
      };
      subscriber.add(connection.authorization.ask(authorize, list, granted, fail));
    });
  }

  private checkPlaces(rooms: readonly string[], connection: Stream | undefined): void {
    const { maxPerRoom = Infinity, maxRoomsPerConnection = Infinity } = this.limits;
    const count = (connection?.cursor.roomCount ?? 0) + rooms.length;
    if (count > maxRoomsPerConnection) {
      const remedy = `a connection cannot read ${count} rooms; ask for fewer`;
      throw new SseLimitError('maxRoomsPerConnection', maxRoomsPerConnection, remedy);
    }
    for (const room of maxPerRoom === Infinity ? [] : rooms) {
      if (this.size(room) < maxPerRoom) continue;
      throw new SseLimitError('maxPerRoom', maxPerRoom, `room ${preview(room)} is full; try again`);
    }
  }

  /**
   * The cursor of now: for a page that is rendered before it connects with `?lastEventId=`, so that it misses nothing
   * in between.
   * @throws SseClosedError; SseError `SSE_LOG_UNAVAILABLE`; SseError `SSE_OPTIONS` for a hub with `history: false`
   */
  async position(): Promise<string> {
    this.requireHistory('position()');
    return formatCursor(await this.log.head());
  }

  /**
   * The kept events of a room after a cursor, oldest first; without a cursor, or with one that says nothing to this hub,
   * the newest. For long polling, pages and tools. A page has at most `limit` events (1 000 by default) and about 8 MiB of them.
   * @throws as `position()`
   */
  async history(
    room: string,
    { after, limit = REPLAY_CAP.events }: { after?: string; limit?: number } = {},
  ): Promise<HistoryPage<Events>> {
    this.requireHistory('history()');
    roomList(room);
    positiveInteger('history().limit', limit);
    const from = after === undefined ? 0 : positionIn(await this.log.head(), after);
    const isKnown = after !== undefined && typeof from === 'number';
    const position = isKnown ? from : 0;
    const range = { after: position, maxEvents: limit, maxBytes: PAGE_BYTES, newest: !isKnown };
    const read = await this.log.read([room], range);
    const [{ last, entries, isWhole }] = read.rooms as [RoomState];
    const isCoveredByLog = !isKnown || isCovered(from, last, entries[0]);
    return {
      events: entries.map(({ event }) => new HubEvent(event) as PublishedEvent as SseEvent<Events>),
      covered: typeof from === 'number' && isCoveredByLog,
      hasMore: !isWhole,
    };
  }

  /** The rooms that somebody on this instance reads. */
  rooms(): string[] {
    return this.delivery.readRooms();
  }

  /** How many streams on this instance read this room, or any. */
  size(room?: string): number {
    return this.delivery.size(room);
  }

  /** Ends every connection of this instance that reads the room. */
  closeRoom(room: string, reason?: CloseReason): void {
    for (const reader of this.delivery.readersOf([room])) reader.close(reason);
  }

  private requireHistory(call: string): void {
    if (this.isClosed) throw new SseClosedError('the hub');
    if (!this.keepsHistory) {
      throw new SseError(
        'SSE_OPTIONS',
        `${call} needs history; leave out \`history: false\` for this hub`,
      );
    }
  }

  /** @internal */
  async start(): Promise<void> {
    this.delivery.caughtUp(await this.log.follow(this.delivery));
  }

  /** @internal */
  async close(): Promise<void> {
    this.isClosed = true;
    this.delivery.end();
    await this.log.close();
  }
}

/** It may be subscribed to by something else than the connection, which then would keep it in its rooms. */
function endWith({ signal }: SseConnection, subscriber: Subscriber<unknown>): void {
  const end = (): void => subscriber.complete();
  if (signal.aborted) return end();
  signal.addEventListener('abort', end, { once: true });
  subscriber.add(() => signal.removeEventListener('abort', end));
}

const logger = new Logger('Sse');

/**
 * The token of the hub of this name, for `useFactory` and for tests; without a name that of the default hub.
 * @publicApi
 */
export function getBroadcasterToken(name?: string): InjectionToken<Broadcaster> {
  return name === undefined ? Broadcaster : `nestjs-eventstream:broadcaster:${name}`;
}
