import type { InjectionToken } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { EventData, EventMap, EventType, SseEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import type { EmitOptions, HubStreamOptions } from './hub.options.js';

/**
 * Some rooms of a hub, ready to be sent to.
 * @publicApi
 */
export interface Emitter<Events extends object> {
  /**
   * As `Broadcaster.publish()`, checked against the event map. Never throws at once, and need not
   * be awaited.
   */
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
 * A hub. Events are published to rooms. Every connection in one of the rooms gets them, once and in
 * one order. Services inject it; `SseModule` makes it.
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
export abstract class Broadcaster<Events extends object = EventMap> {
  /** An object with the same members is not assignable: only the library makes one. */
  declare private readonly isOurs: true;

  /**
   * Names the rooms of the next event. Several rooms: one event, which a connection in two of them
   * gets once.
   */
  abstract to(...rooms: string[]): Emitter<Events>;

  /**
   * Publishes a message to the rooms. Resolves with the event's cursor (`''` for an ephemeral
   * event) once the log has accepted it; never waits for a reader. The message is copied at this
   * moment: changing its objects afterwards changes nothing. A rejection that nobody awaits does
   * not end the process. Every failure is published on the `error` channel of `SSE_CHANNELS`, and
   * logged at most once per 10 s.
   * @throws SseInvalidFieldError, SseSerializeError, SseClosedError; SseLimitError for more than
   * `limits.maxEventBytes` or `limits.maxRoomsPerEvent`; or the log's own rejection
   */
  abstract publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options?: EmitOptions,
  ): Promise<string>;

  /**
   * The events of the rooms: those that the client has missed since its last event ID, then what is
   * published, without a gap or a double between them. Events that cannot be replayed are reported
   * first, by an event `sse-gap` with `{ rooms, reason }`. Ends with the connection whose handler
   * returned it, and when the app shuts down. One that is subscribed to by hand ends with the
   * `connection` that it names, or when it is unsubscribed.
   * @throws SseInvalidFieldError for a room without a name or with more than 256 characters; the
   * stream fails with SseLimitError for `limits.maxPerRoom` (which refuses a connection that has
   * not begun) or `limits.maxRoomsPerConnection` (400)
   */
  abstract stream(
    rooms: string | readonly string[],
    options?: HubStreamOptions<Events>,
  ): Observable<SseEvent<Events>>;

  /**
   * The cursor of now: for a page that is rendered before it connects with `?lastEventId=`, so that
   * it misses nothing in between.
   * @throws SseClosedError; SseError `SSE_LOG_UNAVAILABLE`; SseError `SSE_OPTIONS` for a hub with
   * `history: false`
   */
  abstract position(): Promise<string>;

  /**
   * The kept events of a room after a cursor, oldest first. Without a cursor, or with one that says
   * nothing to this hub: the newest. For long polling, pages and tools. A page has at most `limit`
   * events (1 000 by default) and about 8 MiB.
   * @throws as `position()`
   */
  abstract history(
    room: string,
    range?: { after?: string; limit?: number },
  ): Promise<HistoryPage<Events>>;

  /** The rooms that somebody on this instance reads. */
  abstract rooms(): string[];

  /** How many streams on this instance read this room, or any. */
  abstract size(room?: string): number;

  /** Ends every connection of this instance that reads the room. */
  abstract closeRoom(room: string, reason?: CloseReason): void;
}

/**
 * The token of the hub of this name, for `useFactory` and for tests; without a name that of the
 * default hub.
 * @publicApi
 */
export function getBroadcasterToken(name?: string): InjectionToken<Broadcaster> {
  return name === undefined ? Broadcaster : `nestjs-eventstream:broadcaster:${name}`;
}
