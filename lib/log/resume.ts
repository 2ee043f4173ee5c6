import type { Cursor, Position } from '../wire/cursor.js';
import { bodySize } from './large-event.js';
import type { EventLogReads, Gap, GapReason, Head, RoomEntry } from './event-log.js';

/** What a client that returns has missed. */
export interface Missed {
  readonly gaps: readonly Gap[];
  /**
   * Of the rooms without a gap, and where it was asked for what the others still keep; in the order
   * of positions, each once.
   */
  readonly events: readonly RoomEntry['event'][];
  /** Everything up to here is in `events` or told by `gaps`; what comes after it comes live. */
  readonly barrier: Position;
  /** Of which log the barrier is a position. */
  readonly epoch: string;
  /** Where the client was before. It may go on from there until an event has reached it. */
  readonly resumedFrom: Position | undefined;
}

/** How much is read at most. */
interface ReadCap {
  readonly events: number;
  readonly bytes: number;
}

/** One client costs the log and the process this much at most. */
export const REPLAY_CAP: ReadCap = { events: 1_000, bytes: 1_048_576 };

/** Where a client with these cursors stood in the log, or why they say nothing to it. */
export function positionIn(
  { epoch, position, begin = 0 }: Head,
  cursors: readonly Cursor[],
): Position | GapReason {
  if (cursors.length === 0) return 'unknown';
  const own = cursors.find((cursor) => cursor.epoch === epoch);
  if (own === undefined) return 'epoch';
  // Ahead of the head: from a write that the log has lost, or made up. Before the beginning: a
  // client cut it off.
  return own.position >= begin && own.position <= position ? own.position : 'unknown';
}

/**
 * Whether a room lost nothing after `after`: the first event that is kept after it follows one that
 * the client has, or nothing came after it at all. Exact per room, however busy the others are.
 */
export function isCovered(after: Position, last: Position, first: RoomEntry | undefined): boolean {
  return first === undefined ? last <= after : first.previous <= after;
}

/**
 * What was missed in `rooms` after `cursors`. Live events have to be collected from before this
 * call: those up to the barrier are in the answer, those after it are not.
 * @param rest where to read what is still kept of the rooms with a gap, if that is wanted too
 */
export async function readMissed(
  log: EventLogReads,
  rooms: readonly string[],
  cursors: readonly Cursor[],
  cap = REPLAY_CAP,
  rest?: EventLogReads,
): Promise<Missed> {
  const head = await log.head();
  const { epoch, position: barrier } = head;
  const after = positionIn(head, cursors);
  if (typeof after === 'string') {
    const gaps = [{ rooms, reason: after }];
    // Of an unknown place nobody can say what the client has got, so it would get some of it twice.
    const events = rest && after === 'epoch' ? await readRest(rest, head, rooms, 0, cap) : NOTHING;
    // Until one of these events has reached the client, only what it brought leads to them.
    return { gaps, events, barrier, epoch, resumedFrom: events.length > 0 ? undefined : barrier };
  }

  const range = { after, maxEvents: cap.events, maxBytes: cap.bytes };
  const read = await log.read(rooms, range);
  if (read.epoch !== epoch) {
    return { gaps: [{ rooms, reason: 'epoch' }], events: [], barrier, epoch, resumedFrom: barrier };
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
    gaps: gapsOf({ trimmed, overflow }),
    events: inOrder(missed),
    barrier,
    epoch,
    resumedFrom: after,
  };
}

const NOTHING: RoomEntry['event'][] = [];

/**
 * The newest events of the rooms, as many as fit: no event is missing between them and what comes
 * live.
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

/** Events of rooms without a gap come first. */
function leftOf(cap: ReadCap, events: readonly RoomEntry['event'][]): ReadCap {
  const bytes = events.reduce((sum, event) => sum + bodySize(event), 0);
  return { events: cap.events - events.length, bytes: cap.bytes - bytes };
}

/**
 * The last `count` events of the rooms, or those since a position; for a client that connects for
 * the first time.
 */
export async function readRewind(
  log: EventLogReads,
  rooms: readonly string[],
  rewind: { readonly count: number } | { readonly since: Position },
): Promise<Missed> {
  const { epoch, position: barrier } = await log.head();
  const [after, limit] =
    'count' in rewind
      ? [0, Math.min(rewind.count, REPLAY_CAP.events)]
      : [rewind.since, REPLAY_CAP.events];
  const maxEvents = limit * rooms.length;
  const range = { after, maxEvents, maxBytes: REPLAY_CAP.bytes, newest: true };
  const read = await log.read(rooms, range);
  const entries = read.epoch === epoch ? read.rooms.flatMap((room) => room.entries) : [];
  return {
    gaps: [],
    events: inOrder(upTo(barrier, entries)).slice(-limit),
    barrier,
    epoch,
    // Without a cursor: a client that leaves before it got anything comes back as a new one.
    resumedFrom: undefined,
  };
}

/** What is newer comes live. */
function upTo(barrier: Position, entries: readonly RoomEntry[]): RoomEntry['event'][] {
  // mutant: no barrier
  return entries.map(({ event }) => event).filter(({ position }) => position <= barrier);
}

/** In the order of positions, each once: an event of several rooms was read once per room. */
export function inOrder(events: readonly RoomEntry['event'][]): RoomEntry['event'][] {
  const byPosition = new Map(events.map((event) => [event.position, event]));
  return [...byPosition.values()].sort((a, b) => a.position - b.position);
}

function gapsOf(rooms: Partial<Record<GapReason, string[]>>): Gap[] {
  return (Object.entries(rooms) as [GapReason, string[]][])
    .filter(([, list]) => list.length > 0)
    .map(([reason, list]) => ({ rooms: list, reason }));
}
