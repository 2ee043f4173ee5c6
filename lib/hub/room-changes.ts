import type { Stream } from '../connection/stream.js';
import { SseClosedError, SseConflictError, SseError } from '../ground/errors.js';
import { SseRoomsError } from '../ground/rooms-error.js';
import type { Position } from '../wire/cursor.js';
import type { PartSubscription } from './part-subscription.js';
import type { RoomJoins } from './room-joins.js';
import { labelOf } from './room-plan.js';
import { roomList } from './rooms.js';
import { JOINS_NOW, type RoomStore } from './stored-rooms.js';
import type { StreamCall } from './stream-call.js';
import type { StreamSeats } from './stream-seats.js';

/** The stream whose rooms change. */
interface Changing {
  readonly call: StreamCall;
  readonly connection: Stream;
  readonly main: PartSubscription | undefined;
  readonly joins: RoomJoins;
  readonly seats: StreamSeats;
  readonly store: RoomStore | undefined;
  /** The rooms in force, and after which position their events are owed. */
  since: Map<string, Position>;
  readonly rooms: string[];
  readonly hasEnded: boolean;
  checkLimits(rooms: readonly string[], leaving: number): void;
  leave(rooms: readonly string[]): void;
  /** Tells the client which rooms its cursor is about from now on. */
  tell(): void;
  fail(error: unknown): void;
}

/** A change that is in force. */
interface Changed {
  readonly rooms: string[];
  readonly caughtUp?: Promise<void>;
}

const NONE: readonly string[] = [];

/** The changes of the rooms of an open stream. They are made one after the other. */
export class RoomChanges {
  private turn: Promise<unknown> = Promise.resolve();
  private renewal: NodeJS.Timeout | undefined;

  constructor(private readonly stream: Changing) {}

  /** Resolves with the rooms in force. */
  change(join: readonly string[], leave: readonly string[]): Promise<string[]> {
    const [joined, left] = [join, leave].map((rooms) =>
      rooms.length === 0 ? [] : roomList(rooms),
    );
    const made = this.turn.then(() => this.changeNow(joined ?? NONE, left ?? NONE));
    this.turn = made.then(({ caughtUp }) => caughtUp).catch(() => {});
    return made.then(({ rooms }) => rooms);
  }

  /** Rooms that the client has asked for, as it returned. */
  joinLater(rooms: readonly string[]): void {
    this.inTurn(async () => (await this.changeNow(rooms, NONE)).caughtUp);
  }

  inTurn(step: () => Promise<void>): void {
    this.turn = this.turn.then(step).catch((error: unknown) => this.stream.fail(error));
  }

  /** Resolves when the change is in force. Its rooms catch up after that. */
  private async changeNow(join: readonly string[], leave: readonly string[]): Promise<Changed> {
    const { stream } = this;
    const joined = join.filter((room) => !stream.since.has(room) && !leave.includes(room));
    const left = leave.filter((room) => stream.since.has(room));
    if (stream.hasEnded) throw new SseClosedError('the stream');
    if (joined.length === 0 && left.length === 0) return { rooms: stream.rooms };
    stream.checkLimits(joined, left.length);
    const { connection, call } = stream;
    if (call.authorize !== undefined && joined.length > 0) {
      await connection.authorization.askToJoin(call.authorize, joined, stream);
      if (stream.hasEnded) throw new SseClosedError('the stream');
    }
    if (left.length > 0) {
      await this.write(new Map([...stream.since].filter(([room]) => !left.includes(room))), NONE);
      stream.leave(left);
      stream.tell();
    }
    // Written after that: what the client still got of rooms that leave is older than the join.
    if (joined.length === 0) return { rooms: stream.rooms };
    const next = new Map(stream.since);
    for (const room of joined) next.set(room, JOINS_NOW);
    // Before it is written, so that the others give nothing that they own.
    // mutant: the others do not wait while a join is written
    const claim = stream.joins.claims.add({ rooms: joined, ownsAfter: 0, oldUpTo: 0, had: 0 });
    try {
      const at = await this.write(next, joined);
      claim.ownsAfter = claim.oldUpTo = at.position;
      stream.seats.take(joined);
      // mutant: a join replays what was before it
      const begin = { cursors: [at], isNew: true, label: labelOf(at.position) };
      const caughtUp = stream.joins.join({ rooms: joined, begin }, claim);
      return { rooms: stream.rooms, caughtUp };
    } catch (error) {
      stream.joins.claims.remove(claim);
      throw error;
    } finally {
      stream.main?.goOn();
    }
  }

  private async write(next: Map<string, Position>, joined: readonly string[]) {
    const { connection, store, call } = this.stream;
    const { tail } = connection.cursor;
    if (store === undefined || tail === undefined) throw new SseClosedError('the stream');
    try {
      const at = await store.write(call.rooms, next);
      if (this.stream.hasEnded) throw new SseClosedError('the stream');
      for (const room of joined) next.set(room, at.position);
      this.stream.since = next;
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

  /** So that the log does not forget the rooms of an open stream. */
  renewLater(): void {
    clearTimeout(this.renewal);
    const renew = (): void => {
      this.turn = this.turn
        .then(() => (this.stream.hasEnded ? undefined : this.write(new Map(this.stream.since), [])))
        .catch(() => {});
    };
    this.renewal = setTimeout(renew, this.stream.call.hub.keepMs).unref();
  }

  end(): void {
    clearTimeout(this.renewal);
  }
}
