import type { Observable } from 'rxjs';
import type { Hub } from '../../lib/hub/hub.js';
import type { Item, ModelClient } from './client.js';
import type { RoomsFindings } from './rooms-model.js';

export interface Published {
  readonly uid: number;
  readonly rooms: readonly string[];
  readonly step: number;
  isLost: boolean;
  position: number;
}

/** The rooms of a stream, in force since a position of the log. */
export interface Change {
  readonly position: number;
  readonly step: number;
  readonly rooms: readonly string[];
  /** Those of them that joined with it. The log may have lost that they had left before. */
  readonly joined: readonly string[];
}

/** What a client asks for, and which events it is owed. */
export interface Reader {
  readonly name: string;
  readonly client: ModelClient;
  /** The rooms of its URL. */
  asked: readonly string[];
  /** Which rooms it asked for, and when. */
  readonly asks: { readonly step: number; readonly rooms: readonly string[] }[];
  /** How many changes have no answer yet. */
  asking: number;
  /** The number of its newest change. */
  lastChange: number;
  readonly isChangeable: boolean;
  /** Whether it is the client of this library. */
  readonly keepsTail: boolean;
  /** Whether `authorize` is asked. */
  readonly isGuarded: boolean;
  /** What it gets of the time before a room joined is bounded. */
  readonly rewinds: boolean;
  /**
   * Its operators hold events back, or drop them: over several joins, it may get some again when it
   * returns. An id has room for one group of rooms that joins.
   */
  readonly mayRepeat: boolean;
  /** Under which the log has its rooms. */
  key: string | undefined;
  readonly open: (hub: Hub, rooms: readonly string[]) => Observable<unknown>;
  readonly wants: (uid: number) => boolean;
  /** Owed is what is published after the step in which it connected without a last event ID. */
  since: number;
  /** Where the items begin that it has got since. */
  begun: number;
  /** Whether it has not been let in yet. */
  isWaiting: boolean;
}

interface Known {
  readonly isAllKept: boolean;
  /** A room that joined when nothing else happened, and how many old events it gives. */
  readonly last: { readonly room: string; readonly rewind: number } | undefined;
}

/** The oracle: what every client should have been told, from the log alone. */
export function judge(
  readers: readonly Reader[],
  published: readonly Published[],
  changes: ReadonlyMap<string, readonly Change[]>,
  { isAllKept, last }: Known,
): Omit<RoomsFindings, 'changes'> {
  const missed: string[] = [];
  const doubled: string[] = [];
  const inverted: string[] = [];
  const needless: string[] = [];
  const foreign: string[] = [];
  const forgotten: string[] = [];
  const withheld: string[] = [];
  let gaps = 0;
  for (const reader of readers) {
    const { name, client, since, asked, asks, wants, rewinds, isChangeable, mayRepeat } = reader;
    const own = (isChangeable ? changes.get(reader.key ?? '') : undefined) ?? [];
    // A client that returns without a last event ID begins again.
    const items = client.items.slice(reader.begun);

    /** The rooms in force when an event was published. */
    const inForceAt = ({ position, step }: Published): readonly string[] => {
      if (!isChangeable)
        return asks.filter((ask) => ask.step < step).at(-1)?.rooms ?? asks[0]!.rooms;
      return own.filter((change) => change.position < position).at(-1)?.rooms ?? asked;
    };
    /** Also until the client is told that a room has left. */
    const wasRead = ({ position }: Published, room: string, known: number): boolean =>
      [{ position: 0, rooms: asked }, ...own].some((change, n) => {
        if (change.position > position || !change.rooms.includes(room)) return false;
        const next = own[n];
        return next === undefined || next.position > position || n >= known;
      });
    const stays = (room: string, { position }: Published): boolean =>
      own.every(
        ({ position: at, rooms, joined }) =>
          at < position || (rooms.includes(room) && !joined.includes(room)),
      );
    /** How often a room of it has joined since, which gives what a new client gets. */
    const joinsSince = ({ position, rooms }: Published): number => {
      const repeats = mayRepeat ? own.filter((change) => change.position > position).length : 0;
      if (!rewinds) return repeats;
      if (!isChangeable) {
        const isNew = (room: string, n: number): boolean =>
          asks[n]!.rooms.includes(room) && asks[n - 1]?.rooms.includes(room) !== true;
        return asks.filter((_, n) => n > 0 && rooms.some((room) => isNew(room, n))).length;
      }
      let count = 0;
      let before: readonly string[] = asked;
      for (const change of own) {
        const hasJoined = rooms.some(
          (room) => change.rooms.includes(room) && !before.includes(room),
        );
        if (hasJoined && change.position > position) count++;
        before = change.rooms;
      }
      return count;
    };

    const got = new Map<number, number>();
    const newest = new Map<string, number>();
    /** When the client was told of a gap. */
    const lostAt = new Map<string, number>();
    let told: readonly string[] | undefined;
    /** How many of the changes the client was told of. */
    let known = 0;
    for (const item of items) {
      if (item.kind === 'connect') told = undefined;
      if (item.kind === 'rooms') {
        told = item.rooms;
        // A new log has no position for the client yet.
        if (item.lacksId && isAllKept) forgotten.push(`${name} returns without ${told.join()}`);
        const isFirst = known === 0 && isSame(asked, item.rooms);
        const same = isFirst
          ? -1
          : own.findIndex(({ rooms }, n) => n >= known - 1 && isSame(rooms, item.rooms));
        if (same >= 0) known = same + 1;
      }
      if (item.kind === 'gap') {
        gaps++;
        for (const room of item.rooms) lostAt.set(room, item.step);
        if (isAllKept) needless.push(`${name}: ${item.rooms.join()} (${item.reason})`);
      }
      if (item.kind !== 'event') continue;
      const { uid } = item;
      const event = published[uid]!;
      const times = (got.get(uid) ?? 0) + 1;
      got.set(uid, times);
      const joins = joinsSince(event);
      if (times > 1 + joins)
        doubled.push(`${name} got event ${uid} of ${event.rooms.join()} twice`);
      const inForce = event.rooms.filter((room) => inForceAt(event).includes(room));
      for (const room of joins === 0 ? inForce : []) {
        // After a room has left, others may give its events, each in its own order.
        if (inForce.length > 1 && !stays(room, event)) continue;
        const before = newest.get(room) ?? -1;
        // A room that has lost it, as the client was told, may share it with one that joins later.
        const wasLost = (lostAt.get(room) ?? -1) >= event.step;
        if (uid < before && !wasLost) {
          inverted.push(`${name} got event ${uid} of ${room} after ${before}`);
        }
        newest.set(room, Math.max(uid, before));
      }
      if (event.isLost || !isChangeable) continue;
      if (joins === 0 && !event.rooms.some((room) => wasRead(event, room, known))) {
        foreign.push(`${name} got event ${uid} of ${event.rooms.join()}, which it did not read`);
      }
      const may = (room: string): boolean =>
        told?.includes(room) !== false ||
        own.slice(known).some(({ rooms }) => rooms.includes(room));
      if (!event.rooms.some(may)) {
        foreign.push(`${name} got event ${uid} of ${event.rooms.join()}, which it had left`);
      }
    }

    /** A new client gets a few events, and what comes after the first of them. */
    const isOwedAnyway = (room: string, uid: number): boolean =>
      (isChangeable && !asked.includes(room)) ||
      [...got.keys()].some((other) => {
        const read = published[other]!.rooms.filter((one) => reader.asked.includes(one));
        return other < uid && read.join() === room;
      });
    for (const event of published) {
      if (event.step <= since || event.isLost || !wants(event.uid) || got.has(event.uid)) continue;
      for (const room of event.rooms) {
        if (!inForceAt(event).includes(room) || !stays(room, event)) continue;
        if (rewinds && !isOwedAnyway(room, event.uid)) continue;
        if (wasTold(items, published, event, room, inForceAt)) continue;
        missed.push(`${name} was not told that ${room} lost event ${event.uid}`);
      }
    }

    const rooms = told ?? [];
    const inForce = own.at(-1)?.rooms ?? asked;
    if (isChangeable && !isSame(rooms, inForce)) {
      forgotten.push(`${name} has ${rooms.join()}, and should have ${inForce.join()}`);
    }
    // The ids of others do not say which rooms they are about.
    const saysRooms = isChangeable || reader.keepsTail;
    if (!rewinds || last === undefined || !saysRooms) continue;
    const old = published.filter((event) => event.rooms.includes(last.room));
    // Those of the end, one for each time.
    const owed = old.filter(({ isLost }) => !isLost).slice(-2 - last.rewind);
    for (const { uid } of owed) {
      if (!got.has(uid)) withheld.push(`${name} did not get event ${uid} of ${last.room}`);
    }
  }
  return {
    missed,
    doubled,
    inverted,
    needless,
    foreign,
    forgotten,
    withheld,
    gaps,
    events: published.length,
  };
}

/** Before the room's next event, and not before the event was there. */
function wasTold(
  items: readonly Item[],
  published: readonly Published[],
  event: Published,
  room: string,
  inForceAt: (event: Published) => readonly string[],
): boolean {
  for (const item of items) {
    if (item.kind === 'gap' && item.step >= event.step && item.rooms.includes(room)) return true;
    if (item.kind !== 'event' || item.uid <= event.uid) continue;
    const { rooms } = published[item.uid]!;
    const inForce = inForceAt(published[item.uid]!);
    const ofOthers = rooms.some((other) => other !== room && inForce.includes(other));
    if (rooms.includes(room) && !ofOthers) return false;
  }
  return false;
}

const isSame = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((room) => others.includes(room));
