import { randomBytes } from 'node:crypto';
import {
  joinPositions,
  MAX_LAST_EVENT_ID_LENGTH,
  parseLastEventId,
  withMark,
  type ReaderPosition,
} from '../wire/last-event-id.js';
import type { HubEvent } from '../log/event.js';
import type { Position } from '../wire/cursor.js';
import { ownRooms } from '../wire/room-names.js';
import { tailOf, type TailOptions } from './id-tail.js';
import { SseLimitError, SseOptionsError } from '../ground/errors.js';
import { warnOfSharedStream } from '../ground/warnings.js';

/** A subscription to a hub, whose position becomes part of the client's cursor. */
export interface CursorSource {
  readonly rooms: readonly string[];
  /** The hub that it is of. */
  readonly delivery?: unknown;
  /** Takes over the room of the connection's user from a subscription that has ended. */
  adopt?(room: string, isExact: boolean): void;
  /** `undefined` if no cursor is written for it. */
  readonly position: ReaderPosition | undefined;
  /** Whether ids of this epoch are, or were, of this hub. */
  knowsEpoch(epoch: string): boolean;
  /** Whether an event with this id went into the handler's operators and has not come out. */
  holds(id: string): boolean;
  /** The event with this id goes to the client. */
  cameOut(id: string): void;
  /** Whether its rooms joined the stream later, and the others do not wait for it. */
  readonly isJoining?: boolean;
  /** The rooms that joined, if others count them already. */
  readonly joined?: readonly string[];
  /** Names rooms that joined together. */
  readonly label?: string | undefined;
  /** The states that the client was given: changes that they hold are of no use any more. */
  readonly state?: { has(event: HubEvent): boolean } | undefined;
}

/** A last event ID has room for the cursors of this many hubs. */
const MAX_CURSOR_SOURCES = 5;
/** And of this many, if it also says the key of a stream, or begins with a prefix. */
const MAX_CURSORS_WITH_TEXT = 2;

const NONE: readonly CursorSource[] = [];

const NO_CLAIMS: readonly { readonly hub: object; readonly rooms: readonly string[] }[] = [];

/**
 * Decides the id that the client of one connection returns with: the ids of the events that went to
 * it, and between events the positions of its subscriptions.
 */
export class ClientCursor {
  private sources = NONE;
  private hasRead = false;
  /** Whether the handler writes ids of its own. The client then returns with one of those. */
  private hasOwnIds = false;
  /** Rooms that were already read from the last event ID that the client brought. */
  private claims = NO_CLAIMS;
  /** Identifies a slow client when it returns. Only a client that was slow has one. */
  private ownMark: string | undefined;
  private marksAll = false;
  tail: TailOptions | undefined;

  /**
   * The client's positions in all hubs that it reads; `undefined` if there is none, or none is
   * known.
   */
  get text(): string | undefined {
    if (this.hasOwnIds) return undefined;
    const text = joinPositions(this.positions);
    return text === undefined ? text : this.complete(text);
  }

  get mark(): string | undefined {
    return this.ownMark;
  }

  /**
   * Keeps the mark that the client brought. If it is known as that of a slow client, all ids carry
   * it from the start. The client then gets frames of its own, which a mark that anybody could make
   * up must not cause.
   */
  keepMark(mark: string, isKnown: boolean): void {
    this.ownMark = mark;
    this.marksAll = isKnown;
  }

  /**
   * Marks a slow client. From now on its cursors between events carry the mark, and so do the ids
   * of frames that wait.
   */
  giveMark(): string {
    return (this.ownMark ??= randomBytes(6).toString('base64url'));
  }

  /**
   * Returns the id if the mark may be added to it while its frame waits. The handler's own ids
   * never get one.
   */
  markable(id: string | number | undefined): string | undefined {
    return typeof id === 'string' && !this.marksAll && this.isOurs(id) ? id : undefined;
  }

  /**
   * From now on, ids begin with this. All streams of a connection must agree.
   * @throws SseOptionsError
   */
  usePrefix(prefix: string | undefined): void {
    const known = this.tail?.prefix;
    if (known === prefix) return;
    const isTaken = this.claims.length > 0 || this.positions.length > 0;
    if (known !== undefined || prefix === undefined || isTaken) {
      const problem =
        'another stream of the connection has other ids; set the same idPrefix in each';
      throw new SseOptionsError('stream().idPrefix', 'one for a connection', prefix, problem);
    }
    this.tail = { isOnAll: true, prefix };
  }

  /** From now on, the position of this source is part of the cursor. */
  track(source: CursorSource): void {
    const { key, prefix } = this.tail ?? {};
    const isBare = key === undefined && prefix === undefined;
    const max = isBare ? MAX_CURSOR_SOURCES : MAX_CURSORS_WITH_TEXT;
    if (source.position !== undefined && !source.isJoining && this.positions.length === max) {
      const remedy =
        'a connection cannot read more hub streams; open one stream with several rooms instead';
      throw new SseLimitError('maxHubStreams', max, remedy, { isOption: false });
    }
    // A spread would make a list with room for seventeen.
    this.sources = this.sources.concat(source);
    this.hasRead = true;
  }

  untrack(source: CursorSource): void {
    this.sources = this.sources.filter((other) => other !== source);
  }

  /** The client was told of a gap. Up to here, nobody knows which events it has. */
  lost(upTo: Position): void {
    if (this.tail === undefined) return;
    this.tail.lostUpTo = Math.max(this.tail.lostUpTo ?? 0, upTo);
    this.tail.isTold = false;
  }

  /** Whether a stream of this hub reads the room. */
  reads(hub: object, room: string): boolean {
    return this.sources.some(({ delivery, rooms }) => delivery === hub && rooms.includes(room));
  }

  /** A stream of this hub, if there is one. */
  sourceOf(hub: object): CursorSource | undefined {
    return this.sources.find(({ delivery }) => delivery === hub);
  }

  /** Without that of the user. */
  get roomCount(): number {
    return this.sources.reduce((count, { rooms }) => count + ownRooms(rooms).length, 0);
  }

  get rooms(): string[] {
    return [...new Set(this.sources.flatMap((source) => source.rooms))];
  }

  /** At most `count` of them, however many there are, and without that of the user. */
  firstRooms(count: number): string[] {
    const rooms = new Set<string>();
    for (const source of this.sources) {
      for (const room of ownRooms(source.rooms)) {
        if (rooms.size === count) return [...rooms];
        rooms.add(room);
      }
    }
    return [...rooms];
  }

  /** The rooms of an event that the client reads. Mostly all of them, and then no new list. */
  roomsReadOf(rooms: readonly string[]): readonly string[] {
    const reads = (room: string): boolean =>
      this.sources.some((source) => source.rooms.includes(room));
    return rooms.every(reads) ? rooms : rooms.filter(reads);
  }

  /**
   * Takes rooms of this hub. Returns whether all are read for the first time: only then the last
   * event ID that the client brought says where to begin in them.
   */
  claim(hub: object, rooms: readonly string[]): boolean {
    if (this.claims.length === 0) {
      this.claims = [{ hub, rooms }];
      return true;
    }
    const earlier = new Set(this.claims.flatMap((claim) => (claim.hub === hub ? claim.rooms : [])));
    const unread = earlier.size === 0 ? rooms : rooms.filter((room) => !earlier.has(room));
    if (unread.length > 0) this.claims = this.claims.concat({ hub, rooms: unread });
    return unread.length === rooms.length;
  }

  /**
   * The id that a message with this id is sent with. A client of several hubs gets its positions in
   * all of them instead of the id of one event.
   */
  idOf(id: string | number | undefined): string | number | undefined {
    const only = this.sources[0];
    if (id === undefined) return id;
    if (only === undefined) {
      if (!this.hasRead && isCursor(id)) warnOfSharedStream();
      return id;
    }
    if (this.sources.length === 1 && typeof id === 'string' && only.holds(id)) {
      // The common path: once per event and client.
      only.cameOut(id);
      return this.isPlain ? id : this.completed(id);
    }
    // If this event ends what the ids say of rooms that join, its own id has to say that.
    const { isPlain } = this;
    this.note(String(id));
    const all = this.sources.length > 1 && !this.hasOwnIds ? joinPositions(this.positions) : id;
    return isPlain ? all : this.completed(all);
  }

  /**
   * Whether the client was given a later state of the room, past the handler's operators, which
   * held the change back. After that state, the change would undo a newer one.
   */
  isOutdated(event: HubEvent): boolean {
    return this.sources.some(({ state }) => state?.has(event) === true);
  }

  /** Whether the id of an event of the only hub stream is sent as it is. */
  get isThatOfOne(): boolean {
    return this.sources.length === 1 && this.isPlain;
  }

  /** Whether the ids of events are nothing but cursors. */
  private get isPlain(): boolean {
    if (this.marksAll || this.joining !== undefined) return false;
    return this.tail === undefined || (this.tail.isTold === true && !this.tail.isOnAll);
  }

  private get joining(): CursorSource | undefined {
    // The common case: a connection has one source.
    if (this.sources.length < 2) return undefined;
    // An id has room for one. Rooms of which the client has nothing yet need it least.
    const all = this.sources.filter(({ isJoining }) => isJoining === true);
    return all.filter(({ position }) => position?.position !== undefined).at(-1) ?? all.at(-1);
  }

  private completed(id: string | number | undefined): string | number | undefined {
    return typeof id === 'string' && this.isOurs(id) ? this.complete(id) : id;
  }

  /** Adds to cursors what the ids of this connection say beside them. */
  private complete(cursors: string): string {
    const { tail, joining, ownMark } = this;
    const isBare = tail === undefined && joining === undefined;
    const { prefix = '' } = tail ?? {};
    const room = MAX_LAST_EVENT_ID_LENGTH - prefix.length - cursors.length;
    const text = isBare ? cursors : prefix + cursors + tailOf(tail, joining, this.sources, room);
    if (tail !== undefined) tail.isTold = true;
    return ownMark === undefined ? text : withMark(text, ownMark);
  }

  private isOurs(id: string): boolean {
    return !this.hasOwnIds && this.isCursorOfSource(id);
  }

  /** Also true for an id that a handler's own message took from the hub or from the client. */
  private isCursorOfSource(id: string): boolean {
    const prefix = this.tail?.prefix;
    const isPrefixed = prefix !== undefined && id.startsWith(prefix);
    const { cursors } = parseLastEventId(isPrefixed ? id.slice(prefix.length) : id);
    return this.sources.some((source) => cursors.some(({ epoch }) => source.knowsEpoch(epoch)));
  }

  private note(id: string): void {
    const holders = this.sources.filter((source) => source.holds(id));
    // If two subscriptions hold the event, nobody can tell which of them let it out, so neither
    // moves on.
    if (holders.length === 1) holders[0]?.cameOut(id);
    if (holders.length === 0 && !this.isCursorOfSource(id)) this.hasOwnIds = true;
  }

  private get positions(): ReaderPosition[] {
    const positions: ReaderPosition[] = [];
    for (const { position, isJoining } of this.sources) {
      if (position !== undefined && isJoining !== true) positions.push(position);
    }
    return positions;
  }
}

function isCursor(id: string | number): boolean {
  return typeof id === 'string' && parseLastEventId(id).cursors.length > 0;
}
