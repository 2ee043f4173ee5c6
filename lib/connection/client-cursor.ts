import { randomBytes } from 'node:crypto';
import {
  joinPositions,
  parseLastEventId,
  withMark,
  type ReaderPosition,
} from '../wire/last-event-id.js';
import { SseLimitError } from '../ground/errors.js';
import { warnOfSharedStream } from '../ground/warnings.js';

/** What the client may come back to: a stream of a hub. */
export interface CursorSource {
  readonly rooms: readonly string[];
  /** `undefined`: no cursor is written for it. */
  readonly position: ReaderPosition | undefined;
  /** Whether its ids are, or were, of this epoch. */
  knowsEpoch(epoch: string): boolean;
  /** Whether an event with this id has gone into the handler's pipeline and not come out. */
  holds(id: string): boolean;
  /** That event goes to the client. */
  cameOut(id: string): void;
}

/** A last event ID has room for the cursors of so many hubs. */
const MAX_CURSOR_SOURCES = 5;

const NONE: readonly CursorSource[] = [];

const NO_CLAIMS: readonly { readonly hub: object; readonly rooms: readonly string[] }[] = [];

/**
 * What the client of one connection comes back with: the ids that went to it, and where its streams
 * stand between them.
 */
export class ClientCursor {
  private sources = NONE;
  private hasRead = false;
  /** The handler writes ids that are no cursors: the client comes back with one of those. */
  private hasOwnIds = false;
  /** Rooms that were read with the last event ID that the client brought. */
  private claims = NO_CLAIMS;
  /**
   * By which the client is known again if it is cut for slowness. Only a client that was slow has
   * one.
   */
  private ownMark: string | undefined;
  private marksAll = false;

  /**
   * Where the client stands in all hubs it reads; `undefined` where there is none, or none is
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
   * The client has brought this mark. Where it is known for being slow, all its ids carry the mark
   * from the start, which gives it frames of its own; a mark that anybody could have made up is not
   * worth that.
   */
  keepMark(mark: string, isKnown: boolean): void {
    this.ownMark = mark;
    this.marksAll = isKnown;
  }

  /**
   * The client is slow: ids that have to wait for it, and its cursors between events, carry its
   * mark.
   */
  giveMark(): string {
    return (this.ownMark ??= randomBytes(6).toString('base64url'));
  }

  /**
   * This id, if it is one that gets the mark when it has waited; never one that the handler has
   * written.
   */
  markable(id: string | number | undefined): string | undefined {
    return typeof id === 'string' && !this.marksAll && this.isOurs(id) ? id : undefined;
  }

  /** From now on this source counts too. */
  track(source: CursorSource): void {
    if (source.position !== undefined && this.positions.length === MAX_CURSOR_SOURCES) {
      const remedy =
        'a connection cannot read more hub streams; open one stream with several rooms instead';
      throw new SseLimitError('maxHubStreams', MAX_CURSOR_SOURCES, remedy, { isOption: false });
    }
    this.sources = [...this.sources, source];
    this.hasRead = true;
  }

  untrack(source: CursorSource): void {
    this.sources = this.sources.filter((other) => other !== source);
  }

  /** How many rooms its streams read. */
  get roomCount(): number {
    return this.sources.reduce((count, { rooms }) => count + rooms.length, 0);
  }

  /** What the client reads, over all hubs. */
  get rooms(): string[] {
    return [...new Set(this.sources.flatMap((source) => source.rooms))];
  }

  /**
   * Those of an event's rooms that the client reads; mostly all of them, and then no list of its
   * own.
   */
  roomsReadOf(rooms: readonly string[]): readonly string[] {
    const reads = (room: string): boolean =>
      this.sources.some((source) => source.rooms.includes(room));
    return rooms.every(reads) ? rooms : rooms.filter(reads);
  }

  /**
   * Whether the rooms of this hub are read for the first time: the last event ID that the client
   * brought says where to begin, and a later subscription must not begin there again.
   */
  claim(hub: object, rooms: readonly string[]): boolean {
    const earlier = new Set(this.claims.flatMap((claim) => (claim.hub === hub ? claim.rooms : [])));
    const unread = earlier.size === 0 ? rooms : rooms.filter((room) => !earlier.has(room));
    if (unread.length > 0) this.claims = [...this.claims, { hub, rooms: unread }];
    return unread.length === rooms.length;
  }

  /**
   * The id that a message with this one goes out with: that of a hub among several says where the
   * client stands in all.
   */
  idOf(id: string | number | undefined): string | number | undefined {
    const only = this.sources[0];
    if (id === undefined) return id;
    if (only === undefined) {
      if (!this.hasRead && isCursor(id)) warnOfSharedStream();
      return id;
    }
    if (this.sources.length === 1 && typeof id === 'string' && only.holds(id)) {
      // Nearly always, and once per event and client.
      only.cameOut(id);
      return this.marksAll ? this.marked(id) : id;
    }
    this.note(String(id));
    const all = this.sources.length > 1 && !this.hasOwnIds ? joinPositions(this.positions) : id;
    return this.marksAll ? this.marked(all) : all;
  }

  private marked(id: string | number | undefined): string | number | undefined {
    const { ownMark } = this;
    if (typeof id !== 'string' || ownMark === undefined || !this.isOurs(id)) return id;
    return withMark(id, ownMark);
  }

  private isOurs(id: string): boolean {
    return !this.hasOwnIds && this.isCursorOfSource(id);
  }

  /** Also in a handler's own message: an id that it has from the hub, or from the client. */
  private isCursorOfSource(id: string): boolean {
    const { cursors } = parseLastEventId(id);
    return this.sources.some((source) => cursors.some(({ epoch }) => source.knowsEpoch(epoch)));
  }

  private note(id: string): void {
    const holders = this.sources.filter((source) => source.holds(id));
    // If two streams of a hub hold the event, which of them let it out cannot be seen: neither
    // moves on.
    if (holders.length === 1) holders[0]?.cameOut(id);
    if (holders.length === 0 && !this.isCursorOfSource(id)) this.hasOwnIds = true;
  }

  private get positions(): ReaderPosition[] {
    return this.sources.flatMap(({ position }) => position ?? []);
  }
}

function isCursor(id: string | number): boolean {
  return typeof id === 'string' && parseLastEventId(id).cursors.length > 0;
}
