import { parseCursors, type Position } from './cursor.js';
import type { EventLogReads, Gap, GapReason, Head, RoomEntry } from './event-log.js';

/** What a client that returns has missed. */
export interface Missed {
  readonly gaps: readonly Gap[];
  /** Of the rooms without a gap, in the order of positions, each once. */
  readonly events: readonly RoomEntry['event'][];
  /** Everything up to here is in `events` or told by `gaps`; what comes after it comes live. */
  readonly barrier: Position;
  /** Of which log the barrier is a position. */
  readonly epoch: string;
  /** Where the client stood before: what it may go on from until an event has reached it. */
  readonly stood: Position | undefined;
}

/** How much is read at most. */
interface ReadCap {
  readonly events: number;
  readonly bytes: number;
}

/** One client costs the log and the process this much at most. */
export const REPLAY_CAP: ReadCap = { events: 1_000, bytes: 1_048_576 };

/** What a text that a client brought says to the log: where it stood there, or why it says nothing. */
export function positionIn({ epoch, position }: Head, lastEventId: string): Position | GapReason {
  const cursors = parseCursors(lastEventId);
  if (cursors === undefined) return 'unknown';
  const own = cursors.find((cursor) => cursor.epoch === epoch);
  if (own === undefined) return 'epoch';
  // Ahead of the head: from a write that the log has lost, or made up.
  return own.position <= position ? own.position : 'unknown';
}

/**
 * Whether a room lost nothing after `after`: the first event that is kept after it follows one that the client has, or
 * nothing came after it at all. Exact per room, however busy the others are.
 */
export function isCovered(after: Position, last: Position, first: RoomEntry | undefined): boolean {
  return first === undefined ? last <= after : first.previous <= after;
}

/**
 * What was missed in `rooms` since `lastEventId`. Live events have to be collected from before this call: those up to the
 * barrier are in the answer, those after it are not.
 */
export async function readMissed(
  log: EventLogReads,
  rooms: readonly string[],
  lastEventId: string,
  cap = REPLAY_CAP,
): Promise<Missed> {
  const head = await log.head();
  const { epoch, position: barrier } = head;
  const after = positionIn(head, lastEventId);
  if (typeof after === 'string') {
    return { gaps: [{ rooms, reason: after }], events: [], barrier, epoch, stood: barrier };
  }

  const trimmed = new Set<string>();
  const intact: { room: string; events: RoomEntry['event'][] }[] = [];
  const read = async (room: string): Promise<void> => {
    // In this order: an event that arrives between the two calls is in the range, and never only in `last`.
    const last = await log.last(room);
    const entries = await log.range(room, { after, limit: cap.events + 1 });
    if (isCovered(after, last, entries[0])) {
      const events = entries
        .map(({ event }) => event)
        .filter(({ position }) => position <= barrier);
      intact.push({ room, events });
    } else {
      trimmed.add(room);
    }
  };
  await Promise.all(rooms.map(read));
  const { events, overflow } = merge(intact, cap);
  return {
    gaps: gapsOf({ trimmed: rooms.filter((room) => trimmed.has(room)), overflow }),
    events,
    barrier,
    epoch,
    stood: after,
  };
}

/** The last `count` events of the rooms, or those since a position; for a client that connects for the first time. */
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
  const all: RoomEntry['event'][] = [];
  for (const room of rooms) {
    const entries = await log.range(room, { after, limit, newest: true });
    for (const { event } of entries) if (event.position <= barrier) all.push(event);
  }
  const events = inOrder(all).slice(-limit);
  return {
    gaps: [],
    events: newestWithin(events, REPLAY_CAP.bytes),
    barrier,
    epoch,
    // Without a cursor: a client that leaves before it got anything comes back as a new one.
    stood: undefined,
  };
}

/** All events of the rooms; where they are too many, the rooms with the most go without, and are told. */
function merge(intact: { room: string; events: RoomEntry['event'][] }[], cap: ReadCap) {
  const overflow: string[] = [];
  const chosen = new Map<Position, RoomEntry['event']>();
  let bytes = 0;
  for (const { room, events } of intact.sort((a, b) => a.events.length - b.events.length)) {
    // An event of several rooms is sent once.
    const further = events.filter(({ position }) => !chosen.has(position));
    const size = bytesOf(further);
    if (chosen.size + further.length > cap.events || bytes + size > cap.bytes) {
      overflow.push(room);
      continue;
    }
    bytes += size;
    for (const event of further) chosen.set(event.position, event);
  }
  return { events: inOrder([...chosen.values()]), overflow };
}

/** In the order of positions, each once: an event of several rooms was read once per room. */
export function inOrder(events: readonly RoomEntry['event'][]): RoomEntry['event'][] {
  const byPosition = new Map(events.map((event) => [event.position, event]));
  return [...byPosition.values()].sort((a, b) => a.position - b.position);
}

function newestWithin(
  events: readonly RoomEntry['event'][],
  maxBytes: number,
): RoomEntry['event'][] {
  let bytes = 0;
  let from = events.length;
  for (; from > 0; from--) {
    bytes += bytesOf(events.slice(from - 1, from));
    if (bytes > maxBytes) break;
  }
  return events.slice(from);
}

function bytesOf(events: readonly RoomEntry['event'][]): number {
  let bytes = 0;
  for (const { parts } of events) bytes += parts.beforeId.length + parts.afterId.length;
  return bytes;
}

function gapsOf(rooms: Partial<Record<GapReason, string[]>>): Gap[] {
  return (Object.entries(rooms) as [GapReason, string[]][])
    .filter(([, list]) => list.length > 0)
    .map(([reason, list]) => ({ rooms: list, reason }));
}
