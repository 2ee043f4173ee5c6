import type { InjectionToken } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { EventData, EventMap, EventType, SseEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import type { EmitOptions, HubStreamOptions } from './hub.options.js';

/**
 * Publishes to the rooms that were passed to `Broadcaster.to()`.
 * @publicApi
 */
export interface Emitter<Events extends object> {
  /**
   * Publishes an event. As `Broadcaster.publish()`, but checked against the event map. Failures
   * reject, and it never throws synchronously. You need not await it.
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
  /** Oldest first. */
  readonly events: SseEvent<Events>[];
  /** Whether no event is missing between `after` and the first event of the page. */
  readonly covered: boolean;
  /** Whether more events are kept than the page has: newer ones with `after`, else older ones. */
  readonly hasMore: boolean;
}

/**
 * A hub: publishes events to rooms. Every stream that reads one of the rooms gets the event once,
 * and all streams get events in the same order. `SseModule` provides it; inject it into services.
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
  /** Makes objects with the same members not assignable: only the library creates hubs. */
  declare private readonly isOurs: true;

  /**
   * Names the rooms to publish to. With several rooms, `emit()` publishes one event, and a stream
   * that reads two of them gets it once.
   */
  abstract to(...rooms: string[]): Emitter<Events>;

  /**
   * Publishes a message to the rooms. Resolves with the event's cursor (`''` for an ephemeral
   * event) when the log has accepted it, without waiting for readers. The message is copied
   * synchronously, so later changes to its objects have no effect.
   *
   * An unawaited rejection does not end the process. Every failure is published on the `error`
   * channel of `SSE_CHANNELS`, and logged at most once per 10 s.
   * @throws SseInvalidFieldError, SseSerializeError, SseClosedError; SseInvalidEventError for an
   * event that is not what the hub's `contract` says; SseLimitError above
   * `limits.maxEventBytes` or `limits.maxRoomsPerEvent`; what the log rejects with, such as
   * SseError `SSE_LOG_UNAVAILABLE`
   */
  abstract publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options?: EmitOptions,
  ): Promise<string>;

  /**
   * Streams the events of the rooms: first the events that the client has missed since its last
   * event ID, then live events, with none lost or duplicated in between. If missed events cannot be
   * replayed, the client first gets an event `sse-gap` with `{ rooms, reason }`.
   *
   * The stream ends with the connection whose handler returned it, and when the app shuts down. If
   * you subscribe to it yourself, it ends with the option `connection`, or when you unsubscribe.
   * @throws SseInvalidFieldError for an invalid room name, such as one of more than 256 characters.
   * The stream fails with SseLimitError at `limits.maxPerRoom` (a new connection is refused) and
   * `limits.maxRoomsPerConnection` (400)
   */
  abstract stream(
    rooms: string | readonly string[],
    options?: HubStreamOptions<Events>,
  ): Observable<SseEvent<Events>>;

  /**
   * Resolves with the current cursor. Put it into a server-rendered page, which then connects with
   * `?lastEventId=` and misses no event in between.
   * @throws SseClosedError; SseError `SSE_LOG_UNAVAILABLE`; SseError `SSE_OPTIONS` for a hub with
   * `history: false`
   */
  abstract position(): Promise<string>;

  /**
   * Resolves with kept events of a room, oldest first: those after the cursor `after`, or the
   * newest ones if there is no cursor or this hub does not know it. For long polling, pages and
   * tools. A page has at most `limit` events (default: 1 000) and about 8 MiB.
   * @throws as `position()`; SseInvalidFieldError for an invalid room name; SseOptionsError for a
   * `limit` that is not a positive integer
   */
  abstract history(
    room: string,
    range?: { after?: string; limit?: number },
  ): Promise<HistoryPage<Events>>;

  /** The rooms that at least one stream in this process reads. */
  abstract rooms(): string[];

  /** How many streams in this process read the room, or any room if none is given. */
  abstract size(room?: string): number;

  /** Ends every connection in this process that reads the room. */
  abstract closeRoom(room: string, reason?: CloseReason): void;
}

/**
 * The injection token of a hub, for `inject` of a factory and for `app.get()` in tests. Without a
 * name: the token of the default hub.
 * @example `app.get(getBroadcasterToken('orders'))`
 * @publicApi
 */
export function getBroadcasterToken(name?: string): InjectionToken<Broadcaster> {
  return name === undefined ? Broadcaster : `nestjs-eventstream:broadcaster:${name}`;
}
