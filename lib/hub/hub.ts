import type { Observable } from 'rxjs';
import type { CloseReason } from '../connection/close-reason.js';
import type { LimitsOptions } from '../connection/connections.options.js';
import type { Authorize } from '../connection/authorization.js';
import { authorizeBy } from '../connection/room-rules.js';
import { SseClosedError, SseError, SseOptionsError } from '../ground/errors.js';
import { REAL_TIME, type Time } from '../ground/time.js';
import type { EventMap, SseEvent } from '../log/event.js';
import type { EventLog } from '../log/event-log.js';
import { HISTORY_DEFAULTS } from '../log/history.options.js';
import { REPLAY_CAP } from '../log/resume.js';
import { positiveInteger } from '../options/rules.js';
import { formatCursor } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import { parseLastEventId } from '../wire/last-event-id.js';
import { isReserved } from '../wire/room-names.js';
import { missingIdentify, roomsOfUsers } from './addressees.js';
import { Broadcaster, type Emitter, type HistoryPage } from './broadcaster.js';
import { ControlChannel } from './control-channel.js';
import { Delivery } from './delivery.js';
import { readPage } from './history-page.js';
import type { EmitOptions, HubOptions, HubStreamOptions } from './hub.options.js';
import { hubStream } from './hub-stream.js';
import { factsOf, newEvent, type HubFacts } from './new-event.js';
import { PeerChannel } from './peer-channel.js';
import { Presence } from './presence.js';
import type { PresenceChange, RoomMember } from './presence.options.js';
import { Publisher } from './publisher.js';
import {
  RoomRequests,
  type RoomsChange,
  type RoomsChangeOptions,
  type RoomsInForce,
} from './room-requests.js';
import type { RoomHook, RoomHookOptions } from './room-hooks.js';
import { roomList } from './rooms.js';
import { HubState } from './state.js';
import type { StateRoom } from './state-room.js';

/**
 * The engine of a `Broadcaster`. It publishes to one log, and delivers what comes from that log to
 * its subscriptions. An event that it publishes takes the same way as one from another process.
 */
export class Hub extends Broadcaster {
  readonly delivery: Delivery;
  readonly control: ControlChannel;
  /** A log that is closed refuses what is sent. */
  readonly peers = new PeerChannel((event) => this.log.append(event));
  readonly publisher: Publisher;
  isClosed = false;
  /** Set once somebody has asked for presence. */
  usedPresence: Presence | undefined;
  /** What applies to the events that it publishes. */
  facts: HubFacts;
  readonly authorize: Authorize | undefined;
  readonly keepMs: number;
  private requests: RoomRequests | undefined;

  constructor(
    readonly log: EventLog,
    options: HubOptions = {},
    /** `''` for the default hub. */
    readonly name = '',
    readonly limits: LimitsOptions = {},
    /** Whether the module option `identify` is set. */
    private readonly identifies = false,
    private readonly time: Time = REAL_TIME,
  ) {
    super();
    const keepsHistory = options.history !== false;
    this.publisher = new Publisher(log, this);
    this.control = new ControlChannel((event) =>
      this.publisher.append(() => ({ ...event, ephemeral: !keepsHistory })),
    );
    this.authorize = authorizeBy(options.authorize);
    this.keepMs = (options.history || {}).maxAgeMs ?? HISTORY_DEFAULTS.maxAgeMs;
    this.facts = factsOf(options, limits, identifies);
    const { schemas } = this.facts;
    this.delivery = new Delivery(log, this.control, keepsHistory, this.peers, schemas);
    this.delivery.usesState = options.state !== undefined;
  }

  async start(): Promise<void> {
    this.delivery.caughtUp(await this.log.follow(this.delivery));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.publisher.close();
    await this.delivery.end();
    await this.usedPresence?.close();
    await this.log.close();
  }

  /** What the app's `ClassSerializerInterceptor` does to data, if it has one. */
  set toPlain(toPlain: HubFacts['toPlain']) {
    this.facts = { ...this.facts, toPlain };
  }

  to(...rooms: string[]): Emitter<EventMap> {
    return {
      emit: (type, data, options) => this.publish(rooms, { type, data }, options),
    };
  }

  toUser(...users: string[]): Emitter<EventMap> {
    if (!this.identifies) throw missingIdentify('toUser()');
    return {
      emit: (type, data, options) =>
        this.publishTo(() => roomsOfUsers(users), { type, data }, options),
    };
  }

  publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options?: EmitOptions,
  ): Promise<string> {
    return this.publishTo(() => roomList(rooms), message, options);
  }

  private publishTo(
    rooms: () => string[],
    message: SseMessage,
    options: EmitOptions = {},
  ): Promise<string> {
    return this.publisher.publish(() => newEvent(rooms, message, options, this.facts));
  }

  state<State extends object>(room: string): StateRoom<State> {
    this.requireHistory('state()');
    const [name = ''] = roomList(room);
    this.delivery.usesState = true;
    return new HubState<State>(this, name);
  }

  stream(
    rooms: string | readonly string[],
    options: HubStreamOptions<EventMap> = {},
  ): Observable<SseEvent> {
    return hubStream(this, rooms, options);
  }

  async changeRooms(change: RoomsChange, options: RoomsChangeOptions = {}): Promise<RoomsInForce> {
    return { rooms: await this.roomRequests.change(change, options) };
  }

  get roomRequests(): RoomRequests {
    return (this.requests ??= new RoomRequests(this.peers));
  }

  async position(): Promise<string> {
    this.requireHistory('position()');
    return formatCursor(await this.log.head());
  }

  async history(
    room: string,
    { after, limit = REPLAY_CAP.events }: { after?: string; limit?: number } = {},
  ): Promise<HistoryPage<EventMap>> {
    this.requireHistory('history()');
    roomList(room);
    positiveInteger('history().limit', limit);
    const cursors = after === undefined ? undefined : parseLastEventId(after).cursors;
    return readPage(this.delivery, room, cursors, limit);
  }

  requireHistory(call: string): void {
    if (this.isClosed) throw new SseClosedError('the hub');
    if (this.delivery.keepsHistory) return;
    const remedy = 'remove `history: false` from this hub';
    throw new SseError('SSE_OPTIONS', `${call} needs history; ${remedy}`);
  }

  get presence(): Presence {
    return (this.usedPresence ??= new Presence(this, this.time));
  }

  async members(room: string): Promise<RoomMember[]> {
    this.requireHistory('members()');
    return this.presence.members(roomList(room)[0] ?? '');
  }

  get presence$(): Observable<PresenceChange> {
    this.requireHistory('presence$');
    this.presence.begin();
    return this.presence.changes.asObservable();
  }

  onRoom<Pattern extends string>(
    pattern: Pattern,
    start: RoomHook<Pattern>,
    options?: RoomHookOptions,
  ): () => void {
    if (this.isClosed) throw new SseClosedError('the hub');
    return this.delivery.roomHooks.add(pattern, start, options);
  }

  rooms(): string[] {
    return this.delivery.readRooms().filter((room) => !isReserved(room));
  }

  size(room?: string): number {
    return this.delivery.size(room);
  }

  closeRoom(room: string, reason?: CloseReason): void {
    this.delivery.close(room, reason);
  }
}

/**
 * Returns the engine of a broadcaster that an app passed or provided.
 * @throws SseOptionsError for anything that this library did not create
 */
export function hubOf<Events extends object>(broadcaster: Broadcaster<Events>): Hub {
  if (broadcaster instanceof Hub) return broadcaster;
  const expected = 'the Broadcaster of SseModule.forRoot() or forFeature()';
  throw new SseOptionsError('broadcaster', expected, broadcaster);
}
