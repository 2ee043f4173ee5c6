import type { Position } from '../wire/cursor.js';
import type { RoomEntry, RoomState } from '../log/event-log.js';
import { Ring } from '../log/ring.js';
import type { StoredEvent } from '../log/event-text.js';

/** An entry that was read from Redis, or arrived in a notice. */
export interface StoredEntry extends RoomEntry {
  readonly event: StoredEvent;
}

/** The events of a room after `after` up to `upTo`, as read from Redis. */
interface RoomPage {
  readonly last: Position;
  readonly entries: readonly StoredEntry[];
  readonly after: Position;
  readonly upTo: Position;
  /** Set if entries before `after` did not fit: the rooms that shared the limits of the read. */
  readonly cutWith?: readonly string[] | undefined;
}

interface Followed {
  readonly entry: StoredEvent;
  readonly bytes: number;
}

/** What an event, and its entry in a room, take beside the text. */
const EVENT_BYTES = 400;
const ENTRY_BYTES = 150;

/**
 * The newest part of a log, in this process: every event after `start`, as it arrived, and older
 * pages of single rooms that were read for earlier clients. Returning clients are served from both
 * without asking Redis. No event may be missing between a page and `start`.
 */
export class Tail {
  private readonly events = new Ring<Followed>();
  private readonly rooms = new Map<string, Ring<StoredEntry>>();
  /** Most recently read page last. */
  private readonly pages = new Map<string, RoomPage>();
  private bytes = 0;
  private pageBytes = 0;

  constructor(
    private start: Position,
    private readonly maxBytes: number,
  ) {}

  /** Events up to here are on pages only, or unknown. */
  get beginning(): Position {
    return this.start;
  }

  /** Adds the next event. `previous` are the positions of the events before it in its rooms. */
  add(event: StoredEvent, previous: readonly Position[]): void {
    const bytes = bytesOf(event) + event.rooms.length * ENTRY_BYTES;
    this.events.push({ entry: event, bytes });
    this.bytes += bytes;
    for (const [n, room] of event.rooms.entries()) {
      let entries = this.rooms.get(room);
      if (entries === undefined) this.rooms.set(room, (entries = new Ring()));
      entries.push({ event, previous: previous[n] ?? 0 });
    }
    while (this.bytes > this.maxBytes) this.drop();
  }

  /** The events of a room after `after`; `undefined` if this process does not know all of them. */
  read(room: string, after: Position): RoomState | undefined {
    const followed = this.rooms.get(room);
    const from = followed?.firstIndex(({ event }) => event.position > after) ?? 0;
    const newer = followed?.slice(from, followed.length) ?? [];
    // If there is no event after it, the room's last event is not later than `after`.
    const last = newer.at(-1)?.event.position ?? after;
    if (after >= this.start) return { last, entries: newer, isWhole: true };
    const page = this.page(room);
    if (page === undefined || after < page.after) return undefined;
    const older = page.entries.filter(({ event }) => event.position > after);
    const newest = newer.at(-1)?.event.position ?? 0;
    return {
      last: Math.max(newest, page.last),
      entries: joined(older, newer),
      isWhole: true,
    };
  }

  /** The page of a room, if no event is missing between it and the tail. */
  page(room: string): RoomPage | undefined {
    const page = this.pages.get(room);
    // Events between the page and the tail are missing.
    if (page !== undefined && page.upTo < this.start) this.forget(room);
    return this.pages.get(room);
  }

  /** Keeps a page for the next client that wants the room. */
  keep(room: string, page: RoomPage): void {
    this.forget(room);
    this.pages.set(room, page);
    this.pageBytes += bytesOfPage(page);
    for (const oldest of this.pages.keys()) {
      if (this.pageBytes <= this.maxBytes) break;
      this.forget(oldest);
    }
  }

  private forget(room: string): void {
    const page = this.pages.get(room);
    if (page === undefined) return;
    this.pages.delete(room);
    this.pageBytes -= bytesOfPage(page);
  }

  private drop(): void {
    const oldest = this.events.shift();
    if (oldest === undefined) return;
    this.start = oldest.entry.position;
    this.bytes -= oldest.bytes;
    for (const room of oldest.entry.rooms) {
      const entries = this.rooms.get(room);
      entries?.shift();
      if (entries?.length === 0) this.rooms.delete(room);
    }
  }
}

/**
 * A page may overlap the tail, and may hold newer events that this process has no notice of yet.
 */
function joined(page: readonly RoomEntry[], followed: readonly RoomEntry[]): RoomEntry[] {
  if (followed.length === 0) return [...page];
  const first = followed[0]?.event.position ?? 0;
  const last = followed.at(-1)?.event.position ?? 0;
  return [
    ...page.filter(({ event }) => event.position < first),
    ...followed,
    ...page.filter(({ event }) => event.position > last),
  ];
}

/** What an event takes in memory. */
export function bytesOf({ text }: Pick<StoredEvent, 'text'>): number {
  return EVENT_BYTES + bytesOfText(text);
}

/** One byte per character, or two if any is not ASCII. That is at least what V8 takes. */
export function bytesOfText(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

/** 200 is for the page itself. An event on several pages counts on each. */
function bytesOfPage({ entries }: RoomPage): number {
  let bytes = 200;
  for (const { event } of entries) bytes += ENTRY_BYTES + bytesOf(event);
  return bytes;
}
