import type { InjectionToken } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { EventData, EventMap, EventType, SseEvent } from '../log/event.js';
import type { SseMessage } from '../wire/frame.js';
import type { EmitOptions, HubStreamOptions } from './hub.options.js';
import type { PresenceChange, RoomMember } from './presence.options.js';
import type { RoomHook, RoomHookOptions } from './room-hooks.js';
import type { RoomsChange, RoomsChangeOptions, RoomsInForce } from './room-requests.js';
import type { StateRoom } from './state-room.js';

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

/** Any room, if the hub names no state rooms or is of any type. */
type UnnamedRoom<States> = 0 extends 1 & States
  ? string
  : [keyof States] extends [never]
    ? string
    : never;

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
 * @typeParam Events the data of the events, by type
 * @typeParam States the entries of the state rooms, by room. Nothing checks them at run time.
 * @publicApi
 */
export abstract class Broadcaster<
  Events extends object = EventMap,
  States extends object = object,
> {
  /** Makes objects with the same members not assignable: only the library creates hubs. */
  declare private readonly isOurs: true;

  /**
   * Names the rooms to publish to. With several rooms, `emit()` publishes one event, and a stream
   * that reads two of them gets it once.
   */
  abstract to(...rooms: string[]): Emitter<Events>;

  /**
   * Names the users to publish to, by `user` of their connections' `identity`. On all processes,
   * each connection of theirs that reads this hub gets the event once, whatever rooms it reads, and
   * gets it later if it was away: a user has a room of its own, which the first stream of a
   * connection reads in addition. Options of that stream, such as `types`, apply to it. `authorize`
   * is not asked.
   * @throws SseOptionsError without the module option `identify`. `emit()` rejects with
   * SseInvalidFieldError for anything but texts of 1 to 200 characters
   * @example `await this.broadcaster.toUser(order.customer).emit('shipped', { no: order.no })`
   */
  abstract toUser(...users: string[]): Emitter<Events>;

  /**
   * Publishes a message to the rooms. Resolves with the event's cursor (`''` for an ephemeral
   * event) when the log has accepted it, without waiting for readers. The message is copied
   * synchronously, so later changes to its objects have no effect.
   *
   * An unawaited rejection does not end the process. Every failure is published on the `error`
   * channel of `SSE_CHANNELS`, and logged at most once per 10 s.
   * @throws SseInvalidFieldError, SseSerializeError, SseClosedError; SseOptionsError for `except`
   * without the module option `identify`; SseInvalidEventError for an
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
   * Changes the rooms of an open stream with the option `changeable`, in whatever process it is.
   * Resolves with its rooms when the change is in force: from then on the client gets the events of
   * the rooms that join, also if it is away in between, and what a new client gets of them
   * (`rewind`, `snapshot`, state). `authorize` is asked about them for the stream's connection.
   * @throws HttpException, whose `cause` is an SseRoomsError: a request for it is answered with its
   * status and what to do
   * @example
   * ```ts
   * @Post('events')
   * rooms(@Body() change: RoomsChange) {
   *   return this.broadcaster.changeRooms(change);
   * }
   * ```
   */
  abstract changeRooms(change: RoomsChange, options?: RoomsChangeOptions): Promise<RoomsInForce>;

  /**
   * A room that holds state: values by key. Its readers get all entries first, then each change, so
   * that their copies always become what the server has. Needs no set-up: a room with entries is a
   * state room.
   * @example
   * ```ts
   * interface Prices { ACME: number }
   * const prices = broadcaster.state<Prices>('prices');
   * await prices.set('ACME', 42);
   * broadcaster.stream('prices'); // sse-state, sse-set {"room":"prices","key":"ACME","value":42}
   * ```
   * @typeParam State the values by key
   * @throws SseInvalidFieldError for an invalid room name; SseError `SSE_OPTIONS` for a hub with
   * `history: false`
   */
  abstract state<State extends object = Record<string, unknown>>(
    room: UnnamedRoom<States>,
  ): StateRoom<State>;
  /**
   * A state room of a hub that names them: `Broadcaster<Events, States>`. A key of `States` is a
   * room, or a pattern of rooms.
   * @typeParam Room the name of the room
   * @example
   * ```ts
   * interface States {
   *   prices: Record<string, number>;
   *   [board: `board:${string}`]: { title: string; open: boolean };
   * }
   * declare const broadcaster: Broadcaster<EventMap, States>;
   * await broadcaster.state(`board:${id}`).set('title', 'Plans');
   * ```
   */
  abstract state<Room extends keyof States & string>(
    room: Room,
  ): StateRoom<States[Room] extends object ? States[Room] : never>;

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

  /**
   * Resolves with the members of a room, of all processes, the one that joined first at the front.
   * Streams with the option `presence.member` are members. Empty if nobody is there.
   * @throws as `position()`; SseInvalidFieldError for an invalid room name
   */
  abstract members(room: string): Promise<RoomMember[]>;

  /**
   * Emits each join and leave once over all processes, in the process that made it. A process that
   * dies between the two loses that one. Completes when the hub closes. Errors of subscribers are
   * theirs to catch.
   * @throws SseError `SSE_OPTIONS` for a hub with `history: false`
   */
  abstract readonly presence$: Observable<PresenceChange>;

  /**
   * Calls `start` for each room of the pattern that has readers in this process: when its first
   * reader comes, with the parts of the name that the pattern names. The function that `start`
   * returns is called when the last reader has left, after `lingerMs`, and when the hub closes. So
   * a source runs only while somebody reads its room. In a pattern, `:name` matches one part of a
   * name; `.`, `:`, `/` and a space end a part.
   *
   * Each process has its own readers and calls its own `start`. An error of either function is
   * logged; streams go on.
   * @returns a function that removes the hook, and stops what it has started
   * @throws SseOptionsError for a wrong pattern or option; SseClosedError
   * @example
   * ```ts
   * broadcaster.onRoom('prices.:symbol', (room, { symbol }) => {
   *   const prices = feed.of(symbol);
   *   prices.on('price', (price) => void broadcaster.to(room).emit('price', price));
   *   return () => prices.close();
   * });
   * ```
   */
  abstract onRoom<Pattern extends string>(
    pattern: Pattern,
    start: RoomHook<Pattern>,
    options?: RoomHookOptions,
  ): () => void;

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
