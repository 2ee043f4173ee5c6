import type { Subscriber } from 'rxjs';
import type { CursorSource } from '../connection/client-cursor.js';
import type { Stream } from '../connection/stream.js';
import type { EventMap, HubEvent, LoggedEvent, PublishedEvent } from '../log/event.js';
import type { Gap, Head } from '../log/event-log.js';
import type { Missed } from '../log/resume.js';
import { STREAM_DEFAULTS } from '../connection/stream.options.js';
import type { Position } from '../wire/cursor.js';
import { userRoomIn } from '../wire/room-names.js';
import type { ReaderPosition } from '../wire/last-event-id.js';
import { broughtCursors } from './brought-cursors.js';
import { catchUp, goLive } from './catch-up.js';
import type { CatchingUp } from './catching-up.js';
import type { Delivery, Receiver } from './delivery.js';
import { withGap } from './gaps.js';
import { HeldEvents } from './held-events.js';
import type { GivenState } from './given-state.js';
import type { HubStreamOptions } from './hub.options.js';
import { InFlight } from './in-flight.js';
import { Outlet } from './outlet.js';
import type { Run } from './run.js';
import type { StreamPart } from './stream-part.js';
import { warnOfUnused } from './unused-options.js';

/**
 * One subscription to some rooms. It passes each of their events once, in the order of the hub.
 *
 * | phase         | a live event | until                                 |
 * | ------------- | ------------ | ------------------------------------- |
 * | `catching up` | waits        | the client has what it missed         |
 * | `live`        | is passed on | events are lost, or the epoch changes |
 * | `ended`       | is ignored   |                                       |
 */
export class Subscription implements Receiver, CursorSource, CatchingUp {
  protected phase: 'catching up' | 'live' | 'ended' = 'live';
  /** Live events that wait, if any have arrived. */
  protected held: HeldEvents | undefined;
  /** Gaps that the client has not been sent yet. */
  protected gaps: Gap[] = [];
  /** Where the new epoch of the log began, until the client has been sent the gap. */
  private restartedAt: Head | undefined;
  /** Events up to here were replayed already, or are older than the stream. */
  protected after: Position = 0;
  /**
   * The epoch of these positions. The subscription may read a new epoch before its hub knows of it.
   */
  epoch = '';
  state: GivenState | undefined;
  protected readonly inFlight = new InFlight();
  readonly outlet: Outlet;
  /** Lets the stream begin before the client has caught up. */
  private stopHolding: (() => void) | undefined;

  constructor(
    readonly delivery: Delivery,
    public rooms: readonly string[],
    readonly options: HubStreamOptions<EventMap>,
    subscriber: Subscriber<PublishedEvent>,
    /** Absent if no connection reads the stream, but for example a WebSocket gateway. */
    readonly connection: Stream | undefined,
  ) {
    this.outlet = new Outlet(subscriber, this.inFlight, rooms, options, connection);
  }

  /** What it is of a stream of several subscriptions, if it is no stream of its own. */
  get part(): StreamPart | undefined {
    return undefined;
  }

  /** Call it after joining: from now on events may be delivered. */
  start(): void {
    const { connection } = this;
    const { keepsHistory, head, newest } = this.delivery;
    const { rewind, snapshot } = this.options;
    const brought = broughtCursors(this);
    this.epoch = head.epoch;
    this.connection?.settle();
    const own = brought?.find(({ epoch }) => epoch === head.epoch);
    if (this.part?.begin.isNew !== true) this.inFlight.lastOut = own?.position;
    connection?.cursor.track(this);
    if (connection !== undefined) warnOfUnused(connection);
    const rewinds = keepsHistory && rewind !== undefined;
    // mutant: a new client of a finished job waits
    const mayBeOver = this.outlet.hasLast && keepsHistory;
    const { hasState, usesState } = this.delivery;
    const isLive = !rewinds && snapshot === undefined && !mayBeOver && !hasState && !usesState;
    if (brought === undefined && isLive) {
      return this.beginAt(newest);
    }
    this.collect();
    const caughtUp = catchUp(this, brought).catch((error: unknown) => this.outlet.fail(error));
    // The response waits for this read: without a log, the client is refused, and retries.
    const opening = connection?.opening;
    if (snapshot === undefined && !this.outlet.hasLast && !hasState) return opening?.hold(caughtUp);
    const held = new Promise<void>((resolve) => (this.stopHolding = resolve));
    opening?.hold(Promise.race([caughtUp, held]));
  }

  /** Nothing has to be read. */
  protected beginAt(position: Position): void {
    this.after = this.inFlight.lastOut = position;
  }

  /** RxJS calls it at the end. */
  unsubscribe(): void {
    this.connection?.settle();
    const wasLive = this.phase === 'live';
    this.phase = 'ended';
    this.held = undefined;
    this.connection?.cursor.untrack(this);
    this.delivery.leave(this);
    const room = userRoomIn(this.rooms);
    if (room !== undefined) this.connection?.cursor.sourceOf(this.delivery)?.adopt?.(room, wasLive);
  }

  adopt(room: string, isExact: boolean): void {
    this.rooms = [...this.rooms, room];
    this.delivery.join(this);
    // Nobody reads what this or the other subscription had not passed on.
    if (!isExact || this.phase !== 'live') this.lost({ rooms: [room], reason: 'unknown' });
  }

  get hasEnded(): boolean {
    return this.phase === 'ended';
  }

  get isLive(): boolean {
    return this.phase === 'live';
  }

  end(): void {
    this.outlet.complete();
  }

  close(reason: string | undefined): void {
    if (this.connection === undefined) this.outlet.complete();
    else this.connection.close(reason);
  }

  deliver(event: HubEvent): void {
    if (this.phase === 'ended' || !this.outlet.wants(event)) return;
    if (this.phase === 'live') this.passNew(event);
    else this.hold(event);
  }

  enter(run: Run, event: HubEvent): boolean {
    if (!this.outlet.wants(event)) return true;
    // mutant: a run begins before the client has caught up
    const isLive = this.phase === 'live' && this.knownUpTo <= this.delivery.head.position;
    return isLive && this.outlet.enter(run);
  }

  protected passNew(event: HubEvent): void {
    const { position = Infinity } = event;
    if (position > this.after && this.state?.has(event) !== true) this.outlet.pass(event);
  }

  private hold(event: HubEvent): void {
    this.held ??= new HeldEvents();
    // mutant: live events are not held while missed ones are replayed
    this.held.push(event);
    const { maxBufferedBytes } = this.connection?.settings ?? STREAM_DEFAULTS.backpressure;
    if (this.held.size > maxBufferedBytes + (this.state?.size ?? 0)) this.outlet.overflow();
  }

  take(events: Missed['events']): Missed['events'] {
    return events;
  }

  give(event: LoggedEvent): void {
    this.outlet.pass(this.delivery.eventOf(event));
  }

  /** The client gets the gap before anything later. */
  lost(gap: Gap): void {
    this.gaps = withGap(this.gaps, gap);
    if (this.phase !== 'live') return;
    this.collect();
    this.goOnLater();
  }

  /** Out of the context of a report, which is not that of the subscription. */
  protected goOnLater(): void {
    void this.outlet.runInAsyncScope(() =>
      goLive(this).catch((error: unknown) => this.outlet.fail(error)),
    );
  }

  /** The held events are of the old epoch, so they count as lost. */
  restart(): void {
    const { head, keepsHistory } = this.delivery;
    if (!keepsHistory) return;
    // If the subscription already read the new epoch as far as the hub knows it, it lost nothing.
    if (this.epoch === head.epoch && this.after >= head.position) return;
    this.connection?.settle();
    // The client gets no cursor of the new epoch before it got the gap for the old one.
    this.inFlight.restart();
    // mutant: another log is not noticed
    this.restartedAt = head;
    if (this.phase === 'catching up') this.collect();
    this.lost({ rooms: this.rooms, reason: 'epoch' });
  }

  /** From now on live events wait. What was held before is dropped. */
  protected collect(): void {
    this.connection?.settle();
    this.phase = 'catching up';
    this.held = undefined;
  }

  get hasRestarted(): boolean {
    return this.restartedAt !== undefined;
  }

  get hasGaps(): boolean {
    return this.gaps.length > 0;
  }

  takeGaps(): Gap[] {
    const { gaps } = this;
    this.gaps = [];
    return gaps;
  }

  enterLog({ epoch, barrier, gaps }: Missed): void {
    this.epoch = epoch;
    const { restartedAt } = this;
    if (restartedAt?.epoch === epoch && restartedAt.position <= barrier) {
      // The read was of the new epoch already, so nothing of that is lost.
      this.restartedAt = undefined;
      this.gaps = this.gaps.filter(({ reason }) => reason !== 'epoch');
    }
    this.gaps.unshift(...gaps);
  }

  resumeAt({ resumedFrom, barrier }: Missed): void {
    this.inFlight.lastOut = resumedFrom;
    this.after = barrier;
  }

  goLive(): void {
    if (this.restartedAt !== undefined) {
      const { epoch, position } = this.restartedAt;
      this.epoch = epoch;
      this.after = position;
      this.inFlight.lastOut = position;
      this.restartedAt = undefined;
    }
    // The app may publish while it gets one of these events. That event is appended to this list.
    for (const event of this.held?.events ?? NONE) this.passNew(event);
    this.held = undefined;
    if (this.hasEnded) return;
    this.phase = 'live';
  }

  /** When everything up to here was delivered, the subscription waits for nothing else. */
  get knownUpTo(): Position {
    return Math.max(this.after, this.state?.upTo ?? 0);
  }

  limitHold(): void {
    void this.connection?.opening?.patience().then(this.stopHolding);
  }

  get passedUpTo(): Position {
    return Math.max(this.after, this.delivery.head.position);
  }

  get position(): ReaderPosition | undefined {
    if (!this.delivery.keepsHistory || this.options.lastEventId === false) return undefined;
    this.connection?.settle();
    return this.inFlight.position(this.epoch, this.reached, this.phase === 'catching up');
  }

  /** Of its epoch, everything up to here went in, if it is live. */
  protected get reached(): Position {
    // mutant: keep-alive cursor from a fresh head read
    const { head } = this.delivery;
    const delivered = this.epoch === head.epoch ? head.position : 0;
    return Math.max(delivered, this.after);
  }

  knowsEpoch(epoch: string): boolean {
    return this.delivery.knowsEpoch(epoch);
  }

  holds(id: string): boolean {
    return this.inFlight.holds(id);
  }

  cameOut(id: string): void {
    this.inFlight.cameOut(id);
  }
}

const NONE: readonly HubEvent[] = [];
