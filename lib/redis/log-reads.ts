import type { Cursor, Position } from '../wire/cursor.js';
import type { Head, RoomsRange, RoomsRead, RoomState } from '../log/event-log.js';
import { REPLAY_CAP } from '../log/resume.js';
import { fitting, type RoomView } from '../log/room-range.js';
import type { ReadLimit } from './read-limit.js';
import { readReply, type ReadRoom, type RoomAsk } from './read-reply.js';
import { READ } from './read-script.js';
import type { Script } from './script.js';
import type { Tail } from './tail.js';

/**
 * A page begins at least this long before the tail. Most returning clients missed less, so one
 * page serves all of them.
 */
const PAGE_US = 60_000_000;
/** Rooms per script. */
const SLICE = 500;

/** Rooms as read from Redis. */
interface StoredRead {
  readonly epoch: string;
  readonly rooms: readonly ReadRoom[];
}

export interface ReadLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly newest?: boolean | undefined;
}

/** Runs a script on the connection for reads. */
export type RunRead = (
  script: Script,
  keys: readonly string[],
  args: readonly string[],
  timeoutMs: number,
) => Promise<unknown>;

/** Reads rooms for returning clients, from Redis or from the `Tail` of this process. */
export class LogReads {
  /** The reads of pages under way, by room. */
  private readonly coming = new Map<string, { after: Position; read: Promise<string> }>();

  constructor(
    private readonly keys: Readonly<Record<'meta' | 'rooms' | 'room', string>>,
    private readonly run: RunRead,
    private readonly limit: ReadLimit,
    private readonly durable: string,
  ) {}

  /** Reads all rooms, usually with one script; 500 rooms each if there are more. */
  async read(rooms: readonly string[], range: RoomsRange): Promise<StoredRead> {
    const all: ReadRoom[] = [];
    let { maxEvents, maxBytes } = range;
    for (let from = 0; ; from += SLICE) {
      const asks = rooms.slice(from, from + SLICE).map((room) => ({ room, after: range.after }));
      const share = range.newest ? asks.length / Math.max(1, rooms.length - from) : 1;
      const limits = {
        maxEvents: maxBytes > 0 ? Math.ceil(maxEvents * share) : 0,
        maxBytes: Math.floor(maxBytes * share),
        newest: range.newest,
      };
      const part = await this.limit.run((timeoutMs) => this.readOnce(asks, limits, timeoutMs));
      maxEvents -= part.events;
      maxBytes -= part.bytes;
      all.push(...part.rooms);
      // If the epoch changed between two scripts, it differs from that of the head. The caller then
      // reports everything as lost.
      if (from + SLICE >= rooms.length) return { epoch: part.epoch, rooms: all };
    }
  }

  /** Runs one script at once, without the limit on concurrent reads. */
  async readOnce(asks: readonly RoomAsk[], limits: ReadLimits, timeoutMs: number) {
    const { meta, rooms, room: prefix } = this.keys;
    const { maxEvents, maxBytes, newest = false } = limits;
    const keys = [meta, rooms];
    const args = [String(maxEvents), String(maxBytes), newest ? '1' : '0', prefix, this.durable];
    for (const { room, after } of asks) {
      keys.push(prefix + room);
      args.push(room, String(after));
    }
    return readReply(await this.run(READ, keys, args, timeoutMs), asks.length, newest);
  }

  /** For a client that is not ahead of this process. Reads from Redis only what is unknown here. */
  async readHere(
    rooms: readonly string[],
    range: RoomsRange,
    { epoch, position: after }: Cursor,
    { tail, head }: { readonly tail: Tail; readonly head: Head },
  ): Promise<RoomsRead> {
    const missing = (): string[] => rooms.filter((room) => tail.read(room, after) === undefined);
    let unknown = missing();
    if (unknown.length > 0) {
      const from = Math.min(after, tail.beginning - PAGE_US);
      const epochs = await this.pagesOf(unknown, { after, from }, head, tail);
      for (const other of epochs) if (other !== epoch) return lostRead(other, rooms.length);
      unknown = missing();
    }
    const isTooMuch = cutBySome(rooms, tail);
    const rest = unknown.filter((room) => !isTooMuch(room));
    const read = rest.length === 0 ? undefined : await this.read(rest, { ...range, after });
    if (read !== undefined && read.epoch !== epoch) return lostRead(read.epoch, rooms.length);
    const own = new Map(rest.map((room, n) => [room, read?.rooms[n]]));
    const states = rooms.map(
      (room) => own.get(room) ?? tail.read(room, after) ?? overflowing(tail, room),
    );
    const views = states.map(viewOf);
    const fits = fitting(views, range).map((state, n) => ({
      ...state,
      isWhole: state.isWhole && states[n]?.isWhole === true,
    }));
    return { epoch, rooms: fits };
  }

  /**
   * When many clients return at once, all that want a room share one read. Resolves with the epochs
   * that were read.
   */
  private async pagesOf(
    rooms: readonly string[],
    { after, from }: { readonly after: Position; readonly from: Position },
    head: Head,
    tail: Tail,
  ): Promise<string[]> {
    const isComing = (room: string): boolean => (this.coming.get(room)?.after ?? Infinity) <= after;
    const own = rooms.filter((room) => !isComing(room));
    const reads = new Set<Promise<string>>();
    for (const room of rooms) {
      const coming = isComing(room) ? this.coming.get(room) : undefined;
      if (coming !== undefined) reads.add(coming.read);
    }
    if (own.length > 0) {
      const read = this.readPages(own, from, head, tail);
      const coming = { after: from, read };
      for (const room of own) this.coming.set(room, coming);
      const forget = (): void => {
        for (const room of own) if (this.coming.get(room) === coming) this.coming.delete(room);
      };
      read.then(forget, forget);
      reads.add(read);
    }
    return Promise.all(reads);
  }

  private async readPages(
    rooms: readonly string[],
    after: Position,
    { epoch, position: upTo }: Head,
    tail: Tail,
  ): Promise<string> {
    const { events: maxEvents, bytes: maxBytes } = REPLAY_CAP;
    const read = await this.read(rooms, { after, maxEvents, maxBytes, newest: true });
    if (read.epoch !== epoch) return read.epoch;
    for (const [n, { last, entries, isWhole }] of read.rooms.entries()) {
      const begin = isWhole ? after : (entries[0]?.previous ?? last);
      const cutWith = isWhole ? undefined : rooms;
      tail.keep(rooms[n] ?? '', { last, entries, after: begin, upTo, cutWith });
    }
    return epoch;
  }
}

/**
 * Finds rooms that certainly have too much for a replay, without another read: the newest events of
 * some of the client's rooms already fill one, and do not reach back to the client's position.
 */
function cutBySome(rooms: readonly string[], tail: Tail): (room: string) => boolean {
  const own = new Set(rooms);
  const known = new Map<readonly string[], boolean>();
  return (room) => {
    const cutWith = tail.page(room)?.cutWith;
    if (cutWith === undefined) return false;
    const isCut = known.get(cutWith) ?? cutWith.every((other) => own.has(other));
    known.set(cutWith, isCut);
    return isCut;
  };
}

function overflowing(tail: Tail, room: string): RoomState {
  return { last: tail.page(room)?.last ?? Number.MAX_SAFE_INTEGER, entries: [], isWhole: false };
}

function lostRead(epoch: string, count: number): RoomsRead {
  const state: RoomState = { last: Number.MAX_SAFE_INTEGER, entries: [], isWhole: true };
  return { epoch, rooms: Array.from({ length: count }, () => state) };
}

function viewOf({ last, entries }: RoomState): RoomView {
  return { last, length: entries.length, at: (index) => entries[index] };
}
