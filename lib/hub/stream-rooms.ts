import { randomBytes } from 'node:crypto';
import type { Stream } from '../connection/stream.js';
import { SseClosedError, SseConflictError, SseError } from '../ground/errors.js';
import { SseRoomsError } from '../ground/rooms-error.js';
import type { Position } from '../wire/cursor.js';
import { SSE_OPEN, SSE_ROOMS } from '../wire/protocol.js';
import { withUserRoom } from './addressees.js';
import { PartSubscription } from './part-subscription.js';
import { RoomJoins } from './room-joins.js';
import type { OfRooms } from './stream-part.js';
import { keepsTail, type StreamCall } from './stream-call.js';
import { StreamSeats } from './stream-seats.js';
import { rosterOf } from '../wire/room-names.js';
import { checkRoomLimits } from './room-limits.js';
import type { ChangeableStream } from './room-requests.js';
import { labelOf, newGroups, planOf, type Plan } from './room-plan.js';
import { roomList } from './rooms.js';
import { ALWAYS, JOINS_NOW, RoomStore, type StoredRooms } from './stored-rooms.js';

/** A change that is in force. */
interface Changed {
  readonly rooms: string[];
  readonly caughtUp?: Promise<void>;
}

const NONE: readonly string[] = [];

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
  private readonly joins = new RoomJoins(this);
  private readonly seats: StreamSeats;
  /** Changes are made one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  hasEnded = false;
  private leaves = false;
  /** Rooms that have left while events were in the handler's operators. */
  private readonly left = new Set<string>();
  private token: string | undefined;
  private store: RoomStore | undefined;
  /** The rooms in force, and after which position their events are owed. */
  since = new Map<string, Position>();
  private renewal: NodeJS.Timeout | undefined;

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
      this.inTurn(() => this.joins.join(group, claimed[n]!));
    if (asked.length > 0) this.inTurn(async () => (await this.changeNow(asked, NONE)).caughtUp);
    if (main.since !== undefined) this.renewLater();
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
    const [joined, left] = [join, leave].map((rooms) =>
      rooms.length === 0 ? [] : roomList(rooms),
    );
    const made = this.turn.then(() => this.changeNow(joined ?? NONE, left ?? NONE));
    this.turn = made.then(({ caughtUp }) => caughtUp).catch(() => {});
    return made.then(({ rooms }) => rooms);
  }

  /** Resolves when the change is in force. Its rooms catch up after that. */
  private async changeNow(join: readonly string[], leave: readonly string[]): Promise<Changed> {
    const joined = join.filter((room) => !this.since.has(room) && !leave.includes(room));
    const left = leave.filter((room) => this.since.has(room));
    if (this.hasEnded) throw new SseClosedError('the stream');
    if (joined.length === 0 && left.length === 0) return { rooms: this.rooms };
    this.checkLimits(joined, left.length);
    const { connection, call } = this;
    if (call.authorize !== undefined && joined.length > 0) {
      await connection.authorization.askToJoin(call.authorize, joined, this);
      if (this.hasEnded) throw new SseClosedError('the stream');
    }
    if (left.length > 0) {
      await this.write(new Map([...this.since].filter(([room]) => !left.includes(room))), NONE);
      this.leave(left);
      this.tell();
    }
    // Written after that: what the client still got of rooms that leave is older than the join.
    if (joined.length === 0) return { rooms: this.rooms };
    const next = new Map(this.since);
    for (const room of joined) next.set(room, JOINS_NOW);
    // Before it is written, so that the others give nothing that they own.
    // mutant: the others do not wait while a join is written
    const claim = this.joins.claims.add({ rooms: joined, ownsAfter: 0, oldUpTo: 0, had: 0 });
    try {
      const at = await this.write(next, joined);
      claim.ownsAfter = claim.oldUpTo = at.position;
      this.seats.take(joined);
      // mutant: a join replays what was before it
      const begin = { cursors: [at], isNew: true, label: labelOf(at.position) };
      const caughtUp = this.joins.join({ rooms: joined, begin }, claim);
      return { rooms: this.rooms, caughtUp };
    } catch (error) {
      this.joins.claims.remove(claim);
      throw error;
    } finally {
      this.main?.goOn();
    }
  }

  private async write(next: Map<string, Position>, joined: readonly string[]) {
    const { connection, store, call } = this;
    const { tail } = connection.cursor;
    if (store === undefined || tail === undefined) throw new SseClosedError('the stream');
    try {
      const at = await store.write(call.rooms, next);
      if (this.hasEnded) throw new SseClosedError('the stream');
      for (const room of joined) next.set(room, at.position);
      this.since = next;
      tail.hasChanged = true;
      this.renewLater();
      return at;
    } catch (error) {
      if (error instanceof SseConflictError) {
        connection.close('server');
        throw new SseRoomsError(409, 'another connection goes on with this stream; use its token');
      }
      // Nobody knows whether the log has it. The client returns, and has what the log has.
      if (error instanceof SseError && error.code === 'SSE_LOG_UNAVAILABLE') {
        connection.destroy('error');
      }
      throw error;
    }
  }

  private leave(rooms: readonly string[]): void {
    if (rooms.length === 0) return;
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

  private checkLimits(rooms: readonly string[], leaving = 0): void {
    const { delivery, limits } = this.call.hub;
    const { maxRoomsPerConnection: max } = limits;
    const own = max === undefined ? limits : { ...limits, maxRoomsPerConnection: max + leaving };
    if (rooms.length > 0) {
      checkRoomLimits(own, this.withRosters(rooms), this.connection, (r) => delivery.size(r));
    }
  }

  private inTurn(step: () => Promise<void>): void {
    this.turn = this.turn.then(step).catch((error: unknown) => this.fail(error));
  }

  /** So that the log does not forget the rooms of an open stream. */
  private renewLater(): void {
    clearTimeout(this.renewal);
    const renew = (): void => {
      this.turn = this.turn
        .then(() => (this.hasEnded ? undefined : this.write(new Map(this.since), [])))
        .catch(() => {});
    };
    this.renewal = setTimeout(renew, this.call.hub.keepMs).unref();
  }

  private fail(error: unknown): void {
    this.call.subscriber.error(error);
  }

  /** RxJS calls it at the end. */
  unsubscribe(): void {
    this.hasEnded = true;
    clearTimeout(this.renewal);
    if (this.token !== undefined) this.call.hub.roomRequests.remove(this.token);
    this.seats.end();
    this.joins.part?.unsubscribe();
    this.main?.unsubscribe();
    this.joins.mergeIfCaughtUp();
  }
}
