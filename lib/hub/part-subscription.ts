import type { Subscriber } from 'rxjs';
import { wholeCoverOf } from '../connection/room-cover.js';
import type { Stream } from '../connection/stream.js';
import { HubEvent, type EventMap, type LoggedEvent, type PublishedEvent } from '../log/event.js';
import type { Gap } from '../log/event-log.js';
import type { Missed } from '../log/resume.js';
import type { Position } from '../wire/cursor.js';
import type { ReaderPosition } from '../wire/last-event-id.js';
import { isReserved, ownRooms, userRoomIn } from '../wire/room-names.js';
import type { Delivery } from './delivery.js';
import { HeldEvents } from './held-events.js';
import type { HubStreamOptions } from './hub.options.js';
import { MergedRooms } from './merged-rooms.js';
import type { Run } from './run.js';
import { inSlices } from './slices.js';
import type { StreamPart } from './stream-part.js';
import { Subscription } from './subscription.js';
import { mergedInOrder, type WaitingEvent } from './waiting-events.js';

/**
 * A subscription that is a part of its stream. Where an event has to wait for the other part, it
 * stops: this event and all later ones wait. Once both have given everything before it, they are
 * merged, and the backlog of both goes on in the order of the log.
 */
export class PartSubscription extends Subscription {
  /** The event at which it has stopped. */
  private stoppedAt: Position | undefined;
  /** Missed events that wait. Newer ones are held. */
  private rest: WaitingEvent[] = [];
  /** Held events that go on waiting, while others are passed on. */
  private kept: HeldEvents | undefined;
  private isGoingLive = false;
  /** The last position that was passed, or at which it was live. */
  private passed: Position = 0;
  /** A new client has nothing up to here. */
  hasFrom: Position = 0;
  /** Rooms that it has taken over, until its cursor is about them as well. */
  private merged: MergedRooms | undefined;

  constructor(
    delivery: Delivery,
    rooms: readonly string[],
    options: HubStreamOptions<EventMap>,
    subscriber: Subscriber<PublishedEvent>,
    connection: Stream | undefined,
    private readonly own: StreamPart,
  ) {
    super(delivery, rooms, options, subscriber, connection);
  }

  override get part(): StreamPart {
    return this.own;
  }

  get isJoining(): boolean {
    return this.own.isJoining;
  }

  get label(): string {
    return this.own.begin.label ?? wholeCoverOf(this.rooms.filter((room) => !isReserved(room)));
  }

  /** Whether it has caught up, as far as it may. */
  get isSettled(): boolean {
    return this.isLive || this.isStopped;
  }

  private get isStopped(): boolean {
    return this.stoppedAt !== undefined && !this.hasEnded;
  }

  /** The client has everything of its rooms up to here, or was told of a gap. */
  get bound(): Position {
    return this.isSettled ? this.reached : this.passed;
  }

  protected override beginAt(position: Position): void {
    super.beginAt(position);
    this.hasFrom = position;
    this.own.began?.(position);
    this.own.wentLive?.();
  }

  override resumeAt(missed: Missed): void {
    super.resumeAt(missed);
    const { events, barrier } = missed;
    if (this.own.begin.cursors === undefined)
      this.hasFrom = (events[0]?.position ?? barrier + 1) - 1;
    this.own.began?.(barrier);
  }

  override enter(run: Run, event: HubEvent): boolean {
    if (this.isJoining || this.own.waits(event)) return !this.outlet.wants(event);
    return super.enter(run, event);
  }

  protected override passNew(event: HubEvent): void {
    const { position = Infinity } = event;
    if (position <= this.after || !this.passOrStop(event)) return;
    // While held events are passed on, the others of them come here, too.
    (this.kept ??= new HeldEvents()).push(event);
    if (this.isGoingLive) return;
    this.held = this.kept;
    this.kept = undefined;
  }

  /** With events that wait or are left out, the others are not passed on as one. */
  override take(events: Missed['events']): Missed['events'] {
    const isWhole = !events.some((event) => this.own.waits(event) || this.own.leavesOut(event));
    if (isWhole) this.passed = events.at(-1)?.position ?? this.passed;
    else this.rest = [...events];
    return isWhole ? events : NONE;
  }

  override give(event: LoggedEvent): void {
    this.passOrKeep(event);
  }

  get isDue(): boolean {
    return this.rest.length > 0 && !this.isStopped;
  }

  async passDue(): Promise<void> {
    await inSlices(this, this.rest.splice(0), (event) => this.passOrKeep(event));
  }

  private passOrKeep(event: WaitingEvent): void {
    if (this.passOrStop(event)) this.rest.push(event);
  }

  /** Returns whether the event has to wait. */
  private passOrStop(event: WaitingEvent): boolean {
    const { position, rooms } = event;
    if (this.isStopped) return true;
    if (this.own.leavesOut({ position, rooms })) return false;
    if (position !== undefined && this.own.waits({ position, rooms })) {
      this.stopAt(position);
      return true;
    }
    const own = HubEvent.is(event) ? event : this.delivery.eventOf(event);
    if (this.state?.has(own) === true) return false;
    this.passed = position ?? this.passed;
    this.outlet.pass(own);
    return false;
  }

  private stopAt(position: Position): void {
    this.connection?.settle();
    const { inFlight } = this;
    this.stoppedAt = position;
    this.phase = 'catching up';
    if (!inFlight.isEmpty || this.hasGaps) return;
    inFlight.lastOut = Math.max(inFlight.lastOut ?? 0, this.reached);
  }

  override goLive(): void {
    if (this.hasRestarted) this.forgetWaiting();
    if (!this.isStopped) {
      this.isGoingLive = true;
      super.goLive();
      this.isGoingLive = false;
      if (this.isStopped) {
        this.phase = 'catching up';
        this.held = this.kept;
        this.kept = undefined;
      }
    }
    if (this.hasEnded) return;
    this.own.wentLive?.();
  }

  /** Passes on its backlog, as far as it may now. */
  goOn(): void {
    if (!this.isStopped) return;
    this.passed = this.bound;
    this.stoppedAt = undefined;
    this.goOnLater();
  }

  /** Whether there is something to pass on that waits no more. */
  get mayGoOn(): boolean {
    if (!this.isStopped) return false;
    const [first] = this.waiting();
    return first === undefined || !this.own.waits(first);
  }

  override lost(gap: Gap): void {
    this.passed = this.bound;
    super.lost(gap);
    this.goOn();
  }

  override restart(): void {
    const { isStopped } = this;
    super.restart();
    if (!this.hasRestarted) return;
    this.passed = 0;
    this.forgetMerged();
    if (isStopped && !this.isStopped) this.goOnLater();
  }

  protected override collect(): void {
    super.collect();
    this.forgetWaiting();
  }

  private forgetWaiting(): void {
    this.rest = [];
    this.stoppedAt = undefined;
  }

  /** Takes rooms out. What was published to them alone is not passed on any more. */
  leave(rooms: readonly string[]): void {
    this.connection?.settle();
    const left = new Set(rooms);
    this.rooms = this.rooms.filter((room) => !left.has(room));
    this.delivery.leaveRooms(this, rooms);
    this.gaps = this.gaps
      .map((gap) => ({ ...gap, rooms: gap.rooms.filter((room) => !left.has(room)) }))
      .filter((gap) => gap.rooms.length > 0);
  }

  /**
   * Takes over the rooms of another part. Both are settled, and all that they know was delivered.
   */
  merge(other: PartSubscription): void {
    this.connection?.settle();
    const { bound, connection, inFlight, epoch, merged, delivery } = this;
    const waiting = mergedInOrder(this.waiting(), other.waiting());
    const { rooms } = other;
    other.unsubscribe();
    const user = userRoomIn(this.rooms);
    this.rooms = [...ownRooms(this.rooms), ...rooms, ...(user === undefined ? [] : [user])];
    delivery.join(this);
    this.after = Math.max(this.after, delivery.head.position);
    if (waiting.length > 0) {
      this.held = undefined;
      this.rest = waiting;
      this.stoppedAt = bound + 1;
      this.phase = 'catching up';
      if (inFlight.isEmpty) inFlight.lastOut = Math.max(inFlight.lastOut ?? 0, bound);
    }
    const earlier = merged === undefined || merged.isBehind(inFlight) ? NO_ROOMS : merged.joined;
    this.forgetMerged();
    const joined = new MergedRooms(rooms, other.label, other.inFlight, epoch, bound, earlier);
    if (joined.isBehind(inFlight)) return;
    this.merged = joined;
    connection?.cursor.track(joined);
  }

  /** In order, without what is of no use any more. */
  private waiting(): WaitingEvent[] {
    const isNew = (event: HubEvent): boolean =>
      (event.position ?? Infinity) > this.after && this.state?.has(event) !== true;
    return [...this.rest, ...[...(this.held?.events ?? NONE_HELD)].filter(isNew)];
  }

  private forgetMerged(): void {
    if (this.merged !== undefined) this.connection?.cursor.untrack(this.merged);
    this.merged = undefined;
  }

  override unsubscribe(): void {
    super.unsubscribe();
    this.forgetMerged();
  }

  override get position(): ReaderPosition | undefined {
    const position = super.position;
    if (position === undefined || !this.isStopped || this.hasGaps) return position;
    return this.inFlight.position(this.epoch, this.reached, false);
  }

  protected override get reached(): Position {
    const limit = this.own.limit?.() ?? Infinity;
    return Math.min(this.stoppedAt === undefined ? super.reached : this.stoppedAt - 1, limit);
  }

  override cameOut(id: string): void {
    super.cameOut(id);
    if (this.merged?.isBehind(this.inFlight) === true) this.forgetMerged();
  }
}

const NONE: Missed['events'] = [];
const NONE_HELD: readonly HubEvent[] = [];
const NO_ROOMS: readonly string[] = [];
