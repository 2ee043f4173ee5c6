import type { Stream } from '../connection/stream.js';
import { Deferred } from '../ground/deferred.js';
import type { Position } from '../wire/cursor.js';
import { hadBefore } from './had-before.js';
import { PartSubscription } from './part-subscription.js';
import { RoomClaims, type Claim } from './room-claims.js';
import type { Group } from './room-plan.js';
import { ALWAYS } from './stored-rooms.js';
import type { StreamCall } from './stream-call.js';
import type { OfRooms } from './stream-part.js';

/** The stream that rooms join. */
interface Joined {
  readonly call: StreamCall;
  readonly connection: Stream;
  /** Reads the rooms that have joined. */
  readonly main: PartSubscription | undefined;
  /** The rooms in force, and after which position their events are owed. */
  readonly since: Map<string, Position>;
  readonly hasEnded: boolean;
  withRosters(rooms: readonly string[]): string[];
  /** Tells the client which rooms its cursor is about from now on. */
  tell(): void;
}

/**
 * The rooms that join a stream: they catch up in a part of their own, one group after the other.
 */
export class RoomJoins {
  readonly claims = new RoomClaims();
  /** The group that catches up now. */
  part: PartSubscription | undefined;
  private retry: (() => void) | undefined;
  private readonly mainIsLive = new Deferred<void>();

  constructor(private readonly stream: Joined) {}

  mainWentLive(): void {
    this.mainIsLive.resolve();
    this.mergeIfCaughtUp();
  }

  /** Also once they have left, or the stream has ended. */
  mergeIfCaughtUp(): void {
    this.retry?.();
  }

  /** Of the events of the others, those that the client has from rooms that were joining. */
  leavesOut(event: OfRooms): boolean {
    return this.claims.gave(event) || this.isOld(event);
  }

  /**
   * Whether the client got an event, which is older than all of its rooms, from one that it had.
   */
  private isOld(event: OfRooms): boolean {
    const { rooms, position = Infinity } = event;
    if (rooms.some((room) => position > (this.stream.since.get(room) ?? Infinity))) return false;
    const { epoch } = this.stream.call.hub.delivery.head;
    return hadBefore(event, this.stream.connection.returning, epoch, this.stream.since);
  }

  /** Whether the client gets an event from the other rooms, or has it. */
  private isElsewhere(event: OfRooms, { oldUpTo }: Claim): boolean {
    const { main, since } = this.stream;
    const { rooms, position } = event;
    // mutant: rooms that join miss what the others have lost in a gap
    if (main === undefined || (position ?? 0) > oldUpTo) return false;
    const gives = (room: string): boolean =>
      main.rooms.includes(room) && (position ?? Infinity) > (since.get(room) ?? 0);
    const lostUpTo = Math.max(main.hasFrom, this.stream.connection.cursor.tail?.lostUpTo ?? 0);
    if ((position ?? Infinity) > lostUpTo && rooms.some(gives)) return true;
    return this.isOld(event);
  }

  /** What rooms own from now on that are going to join. */
  claim({ rooms, begin, since }: Group): Claim {
    const [cursor] = begin.cursors ?? [];
    const joinedAt = since?.get(rooms[0] ?? '') ?? ALWAYS;
    const position = begin.isNew === true ? 0 : (cursor?.position ?? 0);
    if (joinedAt !== ALWAYS) {
      return this.claims.add({ rooms, ownsAfter: joinedAt, oldUpTo: joinedAt, had: position });
    }
    // Nobody knows where they joined, but the client was there or before when it was cut.
    if (begin.cursors === undefined) {
      return this.claims.add({ rooms, ownsAfter: Infinity, oldUpTo: Infinity, had: 0 });
    }
    const own = this.stream.connection.returning?.cursors.find(
      ({ epoch }) => epoch === cursor?.epoch,
    );
    const oldUpTo = own?.position ?? 0;
    return this.claims.add({ rooms, ownsAfter: position, oldUpTo, had: 0 });
  }

  /** Resolves when rooms that join have caught up, or the stream has ended. */
  join({ rooms, begin, since }: Group, claim: Claim): Promise<void> {
    if (this.stream.hasEnded) return Promise.resolve();
    const { call, connection } = this.stream;
    const { delivery } = call.hub;
    return new Promise((resolve) => {
      this.retry = () => {
        if (!this.hasJoined(claim)) return;
        this.part = undefined;
        this.retry = undefined;
        // At once: the ids of later events do not say that the rooms have joined.
        this.stream.tell();
        this.stream.main?.goOn();
        resolve();
      };
      this.part = new PartSubscription(
        delivery,
        this.stream.withRosters(rooms),
        call.options,
        call.subscriber,
        connection,
        {
          begin,
          isJoining: true,
          leavesOut: (event) => this.isElsewhere(event, claim),
          // mutant: rooms that join run ahead of the others
          waits: ({ position = 0 }) => position > this.boundOfMain,
          limit: () => this.boundOfMain,
          // Before that, nobody knows which events the others have got.
          ready: this.mainIsLive.promise,
          began: (at) => {
            if (claim.ownsAfter !== Infinity) return;
            claim.ownsAfter = claim.oldUpTo = Math.max(at, this.stream.main?.bound ?? 0);
          },
          wentLive: () => this.mergeIfCaughtUp(),
        },
      );
      for (const room of rooms) {
        if (!this.stream.since.has(room)) this.stream.since.set(room, since?.get(room) ?? ALWAYS);
      }
      delivery.join(this.part);
      this.part.start();
    });
  }

  /** Up to here, rooms that join may go: the others have got everything. */
  private get boundOfMain(): Position {
    const { part: joining } = this;
    const { main } = this.stream;
    return main === undefined || joining?.epoch !== main.epoch ? 0 : main.bound;
  }

  /** Merges rooms that join, once they have given all that the others have. */
  private hasJoined(claim: Claim): boolean {
    const { part: joining } = this;
    const { main } = this.stream;
    if (
      !this.stream.hasEnded &&
      main !== undefined &&
      joining !== undefined &&
      joining.rooms.length > 0
    ) {
      const { delivery } = this.stream.call.hub;
      if (!main.isSettled || !joining.isSettled) return false;
      const knownUpTo = Math.max(main.knownUpTo, joining.knownUpTo);
      const isNewer = main.epoch === joining.epoch && main.epoch !== delivery.head.epoch;
      if (isNewer || knownUpTo > delivery.head.position) {
        delivery.whenAt(isNewer ? Infinity : knownUpTo, () => this.mergeIfCaughtUp());
        return false;
      }
      if (main.epoch !== joining.epoch) return false;
      if (joining.mayGoOn) {
        joining.goOn();
        return false;
      }
      for (const room of claim.rooms) {
        if (this.stream.since.get(room) === ALWAYS) this.stream.since.set(room, claim.oldUpTo);
      }
      main.merge(joining);
    } else joining?.unsubscribe();
    this.claims.remove(claim);
    return true;
  }
}
