import type { Position } from '../wire/cursor.js';
import type { RoomEntry, RoomState } from '../log/event-log.js';
import { Ring } from '../log/ring.js';
import type { StoredEvent } from './event-text.js';

/** An entry as it was read from Redis, or followed. */
export interface StoredEntry extends RoomEntry {
  readonly event: StoredEvent;
}

/** What a room had when it was read: everything after `after` up to `upTo`. */
interface RoomPage {
  readonly last: Position;
  readonly entries: readonly StoredEntry[];
  readonly after: Position;
  readonly upTo: Position;
  /** Where entries before `after` did not fit: the rooms that shared the limits of the read. */
  readonly cutWith?: readonly string[] | undefined;
}

interface Followed {
  readonly entry: StoredEvent;
  readonly bytes: number;
}

/** What an event, and an entry for it in a room, take beside the text. */
const EVENT_BYTES = 400;
const ENTRY_BYTES = 150;

/**
 * The end of a log as one process has followed it: all events after `start`, of all rooms. Behind
 * it, pages of rooms that were read for clients which had been away for longer. From both, clients
 * that return are served without asking Redis.
 */
export class Tail {
  private readonly events = new Ring<Followed>();
  private readonly rooms = new Map<string, Ring<StoredEntry>>();
  /** The most recently read page last. */
  private readonly pages = new Map<string, RoomPage>();
  private bytes = 0;
  private pageBytes = 0;

  constructor(
    private start: Position,
    private readonly maxBytes: number,
  ) {}

  /** What came up to here is on pages, or nowhere. */
  get beginning(): Position {
    return this.start;
  }

  /** The next event. `previous`: the positions of the events before it in its rooms. */
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

  /** What a room has after `after`, where this process knows it. */
  read(room: string, after: Position): RoomState | undefined {
    const followed = this.rooms.get(room);
    const from = followed?.firstIndex(({ event }) => event.position > after) ?? 0;
    const newer = followed?.slice(from, followed.length) ?? [];
    // Without an event after it there was none: its last one is not later.
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

  /** The page of a room, if it reaches the beginning of the tail. */
  page(room: string): RoomPage | undefined {
    const page = this.pages.get(room);
    // Between its end and the beginning of the tail something is missing.
    if (page !== undefined && page.upTo < this.start) this.forget(room);
    return this.pages.get(room);
  }

  /** What was read of a room, for the next client that asks for it. */
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
 * The page may end behind the beginning of the tail, and know of events that this process has not
 * been told of.
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

/**
 * One byte per character, or two as soon as one of them is not ASCII: rather too many than too few.
 */
export function bytesOfText(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

/** With what a page without events takes. An event on several pages counts on each. */
function bytesOfPage({ entries }: RoomPage): number {
  let bytes = 200;
  for (const { event } of entries) bytes += ENTRY_BYTES + bytesOf(event);
  return bytes;
}
