import { randomBytes } from 'node:crypto';
import type { Stream } from '../connection/stream.js';
import { SseError } from '../ground/errors.js';
import type { Position } from '../wire/cursor.js';
import { SSE_OPEN, SSE_ROOMS } from '../wire/protocol.js';
import { withUserRoom } from './addressees.js';
import { PartSubscription } from './part-subscription.js';
import { RoomChanges } from './room-changes.js';
import { RoomJoins } from './room-joins.js';
import type { OfRooms } from './stream-part.js';
import { keepsTail, type StreamCall } from './stream-call.js';
import { StreamSeats } from './stream-seats.js';
import { rosterOf } from '../wire/room-names.js';
import { checkRoomLimits } from './room-limits.js';
import type { ChangeableStream } from './room-requests.js';
import { newGroups, planOf, type Plan } from './room-plan.js';
import { ALWAYS, RoomStore, type StoredRooms } from './stored-rooms.js';

/** An operator may drop an event, and then nobody knows that it holds none. */
const MAX_LEFT = 1_000;

/**
 * A stream of several rooms that do not all begin at the same position: a client returns with a
 * cursor that is not about all of them, or rooms join and leave while the stream is open.
 *
 * The rooms are read by one subscription. Rooms that join catch up in a second one, one group after
 * the other; the first goes on meanwhile, up to an event that is of both, and takes each group over
 * when it has caught up.
 */
export class StreamRooms implements ChangeableStream {
  main: PartSubscription | undefined;
  readonly joins = new RoomJoins(this);
  readonly seats: StreamSeats;
  private readonly changes = new RoomChanges(this);
  hasEnded = false;
  private leaves = false;
  /** Rooms that have left while events were in the handler's operators. */
  private readonly left = new Set<string>();
  private token: string | undefined;
  store: RoomStore | undefined;
  /** The rooms in force, and after which position their events are owed. */
  since = new Map<string, Position>();

  private constructor(
    readonly call: StreamCall,
    readonly connection: Stream,
  ) {
    this.seats = new StreamSeats(call, connection);
    call.subscriber.add(this);
  }

  /** Opens a stream whose rooms can change. */
  static open(call: StreamCall, connection: Stream | undefined): void {
    const remedy = 'return it from a handler, or pass `connection` to stream()';
    if (connection === undefined) {
      throw new SseError('SSE_OPTIONS', `\`changeable\` has no connection: ${remedy}`);
    }
    if (connection.changeable !== undefined) {
      const other = 'give one of them all rooms, or leave out `changeable` in the others';
      throw new SseError('SSE_OPTIONS', `a connection has one \`changeable\` stream: ${other}`);
    }
    new StreamRooms(call, connection).openChangeable();
  }

  /** Opens a stream in which new rooms join those that the client's cursor is about. */
  static join(call: StreamCall, connection: Stream, newRooms: readonly string[]): void {
    const { cursors, tail } = connection.returning ?? {};
    const rooms = call.rooms.filter((room) => !newRooms.includes(room));
    const joining = newGroups(newRooms, tail);
    const plan = { main: { rooms, begin: { cursors } }, joining, asked: [] };
    new StreamRooms(call, connection).begin(plan);
  }

  private openChangeable(): void {
    const { connection, call } = this;
    const { tail = {} } = connection.returning ?? {};
    const { key = randomBytes(12).toString('base64url'), hasChanged = false } = tail;
    connection.changeable = this;
    const { lostUpTo } = tail;
    const own = { isOnAll: !keepsTail(connection), key, hasChanged, lostUpTo };
    connection.cursor.tail = own;
    this.store = new RoomStore(call.hub, key, this.user, 2 * call.hub.keepMs);
    if (tail.key === undefined)
      return this.ask(planOf(call.rooms, connection.returning, undefined));
    const took = (stored: StoredRooms | undefined): void => {
      // The client may have left before it was told of a change.
      own.hasChanged ||= stored !== undefined;
      this.ask(planOf(call.rooms, connection.returning, stored));
    };
    // mutant: a change that the client was not told of is lost
    const reading = this.store.take().then(took, (error: unknown) => this.fail(error));
    connection.opening?.hold(reading);
  }

  /** Asks `authorize` about the rooms of a plan, and begins. */
  private ask(plan: Plan): void {
    const { connection, call } = this;
    const { authorize } = call;
    const begin = (): void => {
      try {
        this.begin(plan);
      } catch (error) {
        this.fail(error);
      }
    };
    if (authorize === undefined) return begin();
    const rooms = [plan.main, ...plan.joining].flatMap((group) => group.rooms);
    const fail = (error: unknown): void => this.fail(error);
    call.subscriber.add(connection.authorization.ask(authorize, rooms, begin, fail, this));
  }

  private begin({ main, joining, asked }: Plan): void {
    const { call, connection } = this;
    const { delivery } = call.hub;
    if (call.subscriber.closed) return;
    this.checkLimits([main, ...joining].flatMap((group) => group.rooms));
    const all = withUserRoom(this.withRosters(main.rooms), connection, delivery);
    const { options, subscriber } = call;
    for (const room of main.rooms) this.since.set(room, main.since?.get(room) ?? ALWAYS);
    const claimed = joining.map((group) => this.joins.claim(group));
    const { begin } = main;
    const came = begin.cursors?.find(({ epoch }) => epoch === delivery.head.epoch)?.position ?? 0;
    this.main = new PartSubscription(delivery, all, options, subscriber, connection, {
      begin,
      isJoining: false,
      leavesOut: (event) => this.hasNoRoom(event) || this.joins.leavesOut(event),
      // mutant: an event of an old and a new room comes twice
      waits: (event) => this.joins.claims.holdBack(event),
      limit: () => Math.max(this.joins.claims.limit, came),
      wentLive: () => this.joins.mainWentLive(),
    });
    delivery.join(this.main);
    this.seats.take(main.rooms);
    this.main.start();
    if (this.store !== undefined) this.announce();
    for (const [n, group] of joining.entries())
      this.changes.inTurn(() => this.joins.join(group, claimed[n]!));
    if (asked.length > 0) this.changes.joinLater(asked);
    if (main.since !== undefined) this.changes.renewLater();
  }

  private readsOne(rooms: readonly string[], part = this.main): boolean {
    return part !== undefined && rooms.some((room) => part.rooms.includes(room));
  }

  private hasNoRoom({ rooms }: OfRooms): boolean {
    return this.leaves && !this.readsOne(rooms);
  }

  hasLeft({ rooms, position = Infinity }: OfRooms): boolean {
    if (this.left.size === 0 || !rooms.some((room) => this.left.has(room))) return false;
    // With `rewind`, a room that joins gives older events, too.
    const rewinds = this.call.options.rewind !== undefined;
    return rooms.every((room) => {
      if (!this.readsOne([room]) && !this.readsOne([room], this.joins.part)) return true;
      return !rewinds && position <= (this.since.get(room) ?? 0);
    });
  }

  /** Tells the client the token, as soon as the stream has begun. */
  private announce(): void {
    const { connection, call } = this;
    this.token = call.hub.roomRequests.add(this);
    const tell = (): void => {
      if (connection.state !== 'open' || this.hasEnded) return;
      connection.sendControlWithCursor(SSE_OPEN, { stream: this.token, rooms: this.rooms });
    };
    if (connection.opening === undefined) tell();
    else void connection.opening.settled.then(tell, () => {});
  }

  /** Tells the client which rooms its cursor is about from now on. */
  tell(): void {
    const { connection, store } = this;
    if (this.hasEnded || connection.state !== 'open') return;
    if (connection.cursor.tail !== undefined) connection.cursor.tail.isTold = false;
    if (store === undefined) connection.sendCursor();
    else connection.sendControlWithCursor(SSE_ROOMS, { rooms: this.rooms });
  }

  /** The rooms in force. */
  get rooms(): string[] {
    return [...this.since.keys()];
  }

  get user(): string | undefined {
    return this.connection.identity?.user;
  }

  change(join: readonly string[], leave: readonly string[]): Promise<string[]> {
    return this.changes.change(join, leave);
  }

  leave(rooms: readonly string[]): void {
    this.leaves = true;
    if (this.left.size > MAX_LEFT) this.left.clear();
    for (const room of rooms) {
      this.left.add(room);
      this.since.delete(room);
      this.seats.leave(room);
    }
    if (this.call.authorize !== undefined) this.connection.authorization.giveBack(this, rooms);
    const all = this.withRosters(rooms);
    // mutant: events of a room that has left still come
    for (const part of [this.main, this.joins.part]) {
      const own = all.filter((room) => part?.rooms.includes(room));
      if (own.length > 0) part?.leave(own);
    }
    this.joins.mergeIfCaughtUp();
  }

  withRosters(rooms: readonly string[]): string[] {
    const watches = this.call.options.presence?.watch === true;
    return watches ? [...rooms, ...rooms.map(rosterOf)] : [...rooms];
  }

  checkLimits(rooms: readonly string[], leaving = 0): void {
    const { delivery, limits } = this.call.hub;
    const { maxRoomsPerConnection: max } = limits;
    const own = max === undefined ? limits : { ...limits, maxRoomsPerConnection: max + leaving };
    if (rooms.length > 0) {
      checkRoomLimits(own, this.withRosters(rooms), this.connection, (r) => delivery.size(r));
    }
  }

  fail(error: unknown): void {
    this.call.subscriber.error(error);
  }

  /** RxJS calls it at the end. */
  unsubscribe(): void {
    this.hasEnded = true;
    this.changes.end();
    if (this.token !== undefined) this.call.hub.roomRequests.remove(this.token);
    this.seats.end();
    this.joins.part?.unsubscribe();
    this.main?.unsubscribe();
    this.joins.mergeIfCaughtUp();
  }
}
