import { readMissed, readRewind, REPLAY_CAP, type Missed } from '../log/resume.js';
import type { Cursor } from '../wire/cursor.js';
import { userRoomIn } from '../wire/room-names.js';
import type { CatchingUp } from './catching-up.js';

/** Reads what a client gets of the time before its stream is live. */
export async function readFor(
  stream: CatchingUp,
  brought: readonly Cursor[] | undefined,
): Promise<Missed> {
  const { delivery, rooms, options, connection, part } = stream;
  const { log, keepsHistory, head } = delivery;
  const { rewind, onGap } = options;
  if (brought !== undefined) {
    const own = brought.find(({ epoch }) => epoch === head.epoch);
    const reads = (own && log.readsFor?.(own)) ?? log;
    // Read the rest from the log itself: this process may not know the newest events of a room.
    const rest = onGap === 'rest' ? log : undefined;
    const missed = await readMissed(reads, rooms, brought, REPLAY_CAP, rest);
    if (part?.begin.isNew === true) return withBeginning(stream, missed);
    return connection?.isOftenCut ? withoutReplay(missed, rooms) : missed;
  }
  if (!keepsHistory || rewind === undefined) {
    // Everything published from now on is delivered live.
    const { epoch, position, entries } = head;
    const at = { epoch, barrier: position, resumedFrom: position, entries };
    return { ...at, gaps: [], events: [] };
  }
  const wanted = wantedOf(rewind);
  // Of the user's events, a new client gets those of now, whatever it asks for of its rooms.
  return readRewind(log, rooms, wanted, { room: userRoomIn(rooms), after: head.position });
}

/** For a client that was cut repeatedly during its replay: a gap instead of the events. */
function withoutReplay(missed: Missed, own: readonly string[]): Missed {
  if (missed.events.length === 0) return missed;
  const told = new Set(missed.gaps.flatMap(({ rooms }) => rooms));
  const rooms = own.filter(
    (room) => !told.has(room) && missed.events.some((event) => event.rooms.includes(room)),
  );
  if (rooms.length === 0) return { ...missed, events: [] };
  return { ...missed, events: [], gaps: [...missed.gaps, { rooms, reason: 'overflow' }] };
}

/**
 * For rooms that joined an open stream at a known position: what a new client gets of the time
 * before, and everything since.
 */
async function withBeginning(
  { delivery, rooms, options }: CatchingUp,
  missed: Missed,
): Promise<Missed> {
  // The snapshot is made later, and has it all.
  if (options.snapshot !== undefined) return { ...missed, events: [] };
  if (options.rewind === undefined) return missed;
  const { resumedFrom: joinedAt = 0, epoch } = missed;
  const before = await readRewind(delivery.log, rooms, wantedOf(options.rewind));
  const events = before.events.filter(({ position }) => position <= joinedAt);
  const [first] = events;
  if (first === undefined || before.epoch !== epoch) return missed;
  // So a client that leaves in the middle returns to the middle.
  return { ...missed, events: [...events, ...missed.events], resumedFrom: first.position - 1 };
}

function wantedOf(rewind: number | { ms: number }): Parameters<typeof readRewind>[2] {
  if (typeof rewind === 'number') return { count: rewind };
  return { since: (Date.now() - rewind.ms) * 1000 };
}
