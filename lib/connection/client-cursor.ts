import { randomBytes } from 'node:crypto';
import {
  joinPositions,
  parseLastEventId,
  withMark,
  type ReaderPosition,
} from '../wire/last-event-id.js';
import { SseLimitError } from '../ground/errors.js';
import { warnOfSharedStream } from '../ground/warnings.js';

/** A subscription to a hub, whose position becomes part of the client's cursor. */
export interface CursorSource {
  readonly rooms: readonly string[];
  /** `undefined` if no cursor is written for it. */
  readonly position: ReaderPosition | undefined;
  /** Whether ids of this epoch are, or were, of this hub. */
  knowsEpoch(epoch: string): boolean;
  /** Whether an event with this id went into the handler's operators and has not come out. */
  holds(id: string): boolean;
  /** The event with this id goes to the client. */
  cameOut(id: string): void;
}

/** A last event ID has room for the cursors of this many hubs. */
const MAX_CURSOR_SOURCES = 5;

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

  /**
   * The client's positions in all hubs that it reads; `undefined` if there is none, or none is
   * known.
   */
  get text(): string | undefined {
    if (this.hasOwnIds) return undefined;
    const text = joinPositions(this.positions);
    return text === undefined || this.ownMark === undefined ? text : withMark(text, this.ownMark);
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

  /** From now on, the position of this source is part of the cursor. */
  track(source: CursorSource): void {
    if (source.position !== undefined && this.positions.length === MAX_CURSOR_SOURCES) {
      const remedy =
        'a connection cannot read more hub streams; open one stream with several rooms instead';
      throw new SseLimitError('maxHubStreams', MAX_CURSOR_SOURCES, remedy, { isOption: false });
    }
    // A spread would make a list with room for seventeen.
    this.sources = this.sources.concat(source);
    this.hasRead = true;
  }

  untrack(source: CursorSource): void {
    this.sources = this.sources.filter((other) => other !== source);
  }

  get roomCount(): number {
    return this.sources.reduce((count, { rooms }) => count + rooms.length, 0);
  }

  get rooms(): string[] {
    return [...new Set(this.sources.flatMap((source) => source.rooms))];
  }

  /** At most `count` of them, however many there are. */
  firstRooms(count: number): string[] {
    const rooms = new Set<string>();
    for (const source of this.sources) {
      for (const room of source.rooms) {
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
      return this.marksAll ? this.marked(id) : id;
    }
    this.note(String(id));
    const all = this.sources.length > 1 && !this.hasOwnIds ? joinPositions(this.positions) : id;
    return this.marksAll ? this.marked(all) : all;
  }

  /** Whether the id of an event of the only hub stream is sent as it is. */
  get isThatOfOne(): boolean {
    return this.sources.length === 1 && !this.marksAll;
  }

  private marked(id: string | number | undefined): string | number | undefined {
    const { ownMark } = this;
    if (typeof id !== 'string' || ownMark === undefined || !this.isOurs(id)) return id;
    return withMark(id, ownMark);
  }

  private isOurs(id: string): boolean {
    return !this.hasOwnIds && this.isCursorOfSource(id);
  }

  /** Also true for an id that a handler's own message took from the hub or from the client. */
  private isCursorOfSource(id: string): boolean {
    const { cursors } = parseLastEventId(id);
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
    for (const { position } of this.sources) if (position !== undefined) positions.push(position);
    return positions;
  }
}

function isCursor(id: string | number): boolean {
  return typeof id === 'string' && parseLastEventId(id).cursors.length > 0;
}
