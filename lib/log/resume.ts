import type { Cursor, Position } from '../wire/cursor.js';
import { bodySize } from './large-event.js';
import type { EventLogReads, Gap, GapReason, Head, RoomEntry } from './event-log.js';

/** What a returning client missed. */
export interface Missed {
  readonly gaps: readonly Gap[];
  /**
   * The missed events of the rooms without a gap, by position and without duplicates. With `rest`,
   * also what the log still keeps of rooms with a gap.
   */
  readonly events: readonly RoomEntry['event'][];
  /** The watermark of the read: up to it, events are in `events` or lost; later ones come live. */
  readonly barrier: Position;
  /** The epoch that `barrier` belongs to. */
  readonly epoch: string;
  /** The client's own position. Its cursor stays there until one of these events has reached it. */
  readonly resumedFrom: Position | undefined;
  /** As in the head of the log: `undefined` as long as no room has ever had an entry. */
  readonly entries: number | undefined;
}

/** Limits of one read. */
interface ReadCap {
  readonly events: number;
  readonly bytes: number;
}

/** The most that the replay of one client may cost the log and the process. */
export const REPLAY_CAP: ReadCap = { events: 1_000, bytes: 1_048_576 };

/** The client's position in this log, or the reason why its cursors do not give one. */
export function positionIn(
  { epoch, position, begin = 0 }: Head,
  cursors: readonly Cursor[],
): Position | GapReason {
  if (cursors.length === 0) return 'unknown';
  const own = cursors.find((cursor) => cursor.epoch === epoch);
  if (own === undefined) return 'epoch';
  // A position beyond the head is from a write that the log lost, or is made up. A position before
  // the epoch began was never assigned.
  return own.position >= begin && own.position <= position ? own.position : 'unknown';
}

/**
 * Whether a room lost nothing after `after`: the first kept event directly follows one that the
 * client has, or nothing was published since. Exact for each room, however busy the others are.
 */
export function isCovered(after: Position, last: Position, first: RoomEntry | undefined): boolean {
  return first === undefined ? last <= after : first.previous <= after;
}

/**
 * Reads what was missed in `rooms` after `cursors`. The caller must already collect live events
 * when it calls this: events up to the barrier are in the result, later ones are not.
 * @param rest where to read what is still kept of rooms with a gap; absent if that is not wanted
 */
export async function readMissed(
  log: EventLogReads,
  rooms: readonly string[],
  cursors: readonly Cursor[],
  cap = REPLAY_CAP,
  rest?: EventLogReads,
): Promise<Missed> {
  const head = await log.head();
  const { epoch, position: barrier, entries: count } = head;
  const at = { barrier, epoch, entries: count };
  const after = positionIn(head, cursors);
  if (typeof after === 'string') {
    const gaps = [{ rooms, reason: after }];
    // For `unknown`, nobody knows which events the client has. It would get some of them twice.
    const events = rest && after === 'epoch' ? await readRest(rest, head, rooms, 0, cap) : NOTHING;
    // Until one of these events reaches the client, it must return with the cursor that it brought.
    return { ...at, gaps, events, resumedFrom: events.length > 0 ? undefined : barrier };
  }

  if (rooms.length === 0) return { ...at, gaps: [], events: [], resumedFrom: after };
  const range = { after, maxEvents: cap.events, maxBytes: cap.bytes };
  const read = await log.read(rooms, range);
  if (read.epoch !== epoch) {
    return { ...at, gaps: [{ rooms, reason: 'epoch' }], events: [], resumedFrom: barrier };
  }
  const trimmed: string[] = [];
  const overflow: string[] = [];
  const missed: RoomEntry['event'][] = [];
  for (const [n, { last, entries, isWhole }] of read.rooms.entries()) {
    const room = rooms[n] ?? '';
    if (entries.length === 0 && !isWhole) overflow.push(room);
    else if (!isCovered(after, last, entries[0])) trimmed.push(room);
    else if (!isWhole) overflow.push(room);
    else missed.push(...upTo(barrier, entries));
  }
  const withGap = [...trimmed, ...overflow];
  // mutant: the rest of a room with a gap is left out
  if (rest && withGap.length > 0) {
    missed.push(...(await readRest(rest, head, withGap, after, leftOf(cap, inOrder(missed)))));
  }
  return {
    ...at,
    gaps: gapsOf({ trimmed, overflow }),
    events: inOrder(missed),
    resumedFrom: after,
  };
}

const NOTHING: RoomEntry['event'][] = [];

/**
 * The newest events of the rooms, as many as fit. No event is missing between them and the live
 * events.
 */
async function readRest(
  reads: EventLogReads,
  { epoch, position: barrier }: Head,
  rooms: readonly string[],
  after: Position,
  cap: ReadCap,
): Promise<RoomEntry['event'][]> {
  if (cap.events <= 0 || cap.bytes <= 0) return NOTHING;
  // mutant: the rest of a room with a gap is the oldest
  const range = { after, maxEvents: cap.events, maxBytes: cap.bytes, newest: true };
  const read = await reads.read(rooms, range);
  if (read.epoch !== epoch) return NOTHING;
  const entries = read.rooms.flatMap((room) => room.entries);
  return inOrder(upTo(barrier, entries));
}

/** What the rooms without a gap leave of the limits. */
function leftOf(cap: ReadCap, events: readonly RoomEntry['event'][]): ReadCap {
  const bytes = events.reduce((sum, event) => sum + bodySize(event), 0);
  return { events: cap.events - events.length, bytes: cap.bytes - bytes };
}

/**
 * Reads the last `count` events of the rooms, or those since a position, for a new client.
 * @param live a room of which only what was published after a position is wanted
 */
export async function readRewind(
  log: EventLogReads,
  rooms: readonly string[],
  rewind: { readonly count: number } | { readonly since: Position },
  live?: { readonly room: string | undefined; readonly after: Position },
): Promise<Missed> {
  const { epoch, position: barrier, entries: count } = await log.head();
  const [after, limit] =
    'count' in rewind
      ? [0, Math.min(rewind.count, REPLAY_CAP.events)]
      : [rewind.since, REPLAY_CAP.events];
  const maxEvents = limit * rooms.length;
  const range = { after, maxEvents, maxBytes: REPLAY_CAP.bytes, newest: true };
  const read = await log.read(rooms, range);
  const wanted: RoomEntry[] = [];
  const since: RoomEntry[] = [];
  for (const [n, { entries }] of (read.epoch === epoch ? read.rooms : []).entries()) {
    if (live === undefined || rooms[n] !== live.room) wanted.push(...entries);
    else since.push(...entries.filter(({ event }) => event.position > live.after));
  }
  const newest = inOrder(upTo(barrier, wanted)).slice(-limit);
  return {
    gaps: [],
    events: since.length === 0 ? newest : inOrder([...newest, ...upTo(barrier, since)]),
    barrier,
    epoch,
    entries: count,
    // No cursor: a client that leaves before its first event returns as a new one.
    resumedFrom: undefined,
  };
}

/** Newer events are delivered live. */
function upTo(barrier: Position, entries: readonly RoomEntry[]): RoomEntry['event'][] {
  const events: RoomEntry['event'][] = [];
  // mutant: no barrier
  for (const { event } of entries) if (event.position <= barrier) events.push(event);
  return events;
}

/** An event of several rooms was read once per room. */
export function inOrder(events: RoomEntry['event'][]): RoomEntry['event'][] {
  // Those of one room are.
  if (isInOrder(events)) return events;
  const byPosition = new Map(events.map((event) => [event.position, event]));
  return [...byPosition.values()].sort((a, b) => a.position - b.position);
}

function isInOrder(events: readonly RoomEntry['event'][]): boolean {
  let last = -1;
  for (const { position } of events) {
    if (position <= last) return false;
    last = position;
  }
  return true;
}

function gapsOf(rooms: Partial<Record<GapReason, string[]>>): Gap[] {
  return (Object.entries(rooms) as [GapReason, string[]][])
    .filter(([, list]) => list.length > 0)
    .map(([reason, list]) => ({ rooms: list, reason }));
}
