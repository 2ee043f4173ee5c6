import { SseOptionsError } from '../ground/errors.js';
import type { Gap, RoomEntry, RoomState } from '../log/event-log.js';
import { bodySize } from '../log/large-event.js';
import { REPLAY_CAP, type Missed } from '../log/resume.js';
import type { Cursor, Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import { isStateChange } from '../wire/protocol.js';
import { isReserved, ownRooms, userRoomIn } from '../wire/room-names.js';
import { readFor } from './catch-up-reads.js';
import { diagnostics } from './diagnostics.js';
import type { CatchingUp } from './catching-up.js';
import { inSlices, REPLAY_SLICE, sliceBytes } from './slices.js';
import { giveStates, NO_STATES, readStates, withoutStates } from './state-catch-up.js';

/**
 * Brings a client up to date: first the gaps, then a snapshot, then the missed events, then the
 * events that were held while those were read. No event is sent twice, or left out without a gap.
 * @param brought the cursors that the client brought; `undefined` for a new client
 */
export async function catchUp(
  stream: CatchingUp,
  brought: readonly Cursor[] | undefined,
): Promise<void> {
  const isNew = brought === undefined || stream.part?.begin.isNew === true;
  if (stream.part?.ready !== undefined) await stream.part.ready;
  if (stream.hasEnded) return;
  const missed = await readFor(stream, brought);
  if (stream.hasEnded) return;
  stream.delivery.learn(missed);
  stream.enterLog(missed);
  const at = { epoch: missed.epoch, position: missed.barrier };
  const told =
    brought !== undefined && stream.hasGaps
      ? await sendGaps(stream, at, missed.resumedFrom)
      : NO_GAPS;
  if (isNew) await begin(stream, at, missed.gaps);
  if (stream.hasEnded) return;
  const skips = told.length > 0 && stream.options.onGap === 'skip';
  if (!stream.hasRestarted) await replay(stream, skips ? { ...missed, events: [] } : missed);
  await goLive(stream);
}

/**
 * Sends gaps that came up during the catch-up, then goes live. From the last check for gaps to the
 * last held event, nothing is asynchronous, so no event can get between them.
 */
export async function goLive(stream: CatchingUp): Promise<void> {
  while ((stream.hasGaps || stream.isDue === true) && !stream.hasEnded) {
    const { epoch } = stream.delivery.head;
    if (stream.hasGaps) await sendGaps(stream, { epoch, position: stream.passedUpTo });
    else await stream.passDue?.();
  }
  if (stream.hasEnded) return;
  stream.goLive();
  if (stream.hasEnded) return;
  stream.connection?.sendCursor();
  if (!stream.isLive) return;
  // mutant: a client that has read the last event waits
  if (stream.outlet.hasLast && (await isOver(stream))) stream.outlet.complete();
}

/** For a client without a cursor. Rooms with a gap have their snapshot and state already. */
async function begin(stream: CatchingUp, at: Cursor, gaps: readonly Gap[]): Promise<void> {
  const told = roomsOf(gaps);
  const all = stream.rooms.filter((room) => !told.includes(room));
  await giveSnapshot(stream, 'fresh', all);
  const { hasState, usesState } = stream.delivery;
  if (stream.hasEnded || (!hasState && !usesState)) return;
  const rooms = ownRooms(all);
  const states = hasState ? await readStates(stream, rooms, at) : NO_STATES;
  await giveStates(stream, states);
  if (!usesState) return;
  // A copy of a room that never had an entry is whole, and empty.
  const empty = rooms.filter((room) => !states.has(room));
  if (empty.length > 0 && !stream.hasEnded) stream.outlet.sendState(empty, 0);
}

/**
 * Sends the gaps, then the snapshot if the stream has one, then the state of the rooms. A room
 * whose missed events only changed entries has no gap: its state says all that they said.
 * @param at where the stream goes on
 * @param from the client's position, if it is known
 * @returns the gaps that the client was sent
 */
async function sendGaps(stream: CatchingUp, at: Cursor, from?: Position): Promise<readonly Gap[]> {
  const taken = stream.takeGaps();
  if (taken.length === 0) return taken;
  const user = userRoomIn(stream.rooms);
  const lost = roomsOf(taken).filter((room) => room !== user);
  const { hasState, usesState } = stream.delivery;
  const states = hasState ? await readStates(stream, lost, at) : NO_STATES;
  if (stream.hasEnded) return NO_GAPS;
  const gaps = withoutStates(taken, states, from);
  for (const gap of gaps) stream.outlet.sendGap(gap);
  if (gaps.length > 0) stream.connection?.cursor.lost(at.position);
  if (gaps.length > 0 && stream.options.onGap === 'end') {
    stream.outlet.complete();
    return gaps;
  }
  const told = roomsOf(gaps);
  if (told.length > 0) await giveSnapshot(stream, 'gap', told);
  // mutant: a room with a gap gets no state
  if (hasState) await giveStates(stream, states, lost);
  else if (usesState || stream.options.presence !== undefined) emptyCopies(stream, taken);
  return gaps;
}

/**
 * No room has an entry, but the client may have some of a log that no longer exists, or of the
 * process before this one. Only for a hub that uses state rooms: others must not pay for it.
 */
function emptyCopies({ outlet, hasEnded, rooms: all }: CatchingUp, gaps: readonly Gap[]): void {
  const user = userRoomIn(all);
  const rooms = roomsOf(gaps.filter(({ reason }) => reason === 'epoch'));
  const own = rooms.filter((room) => room !== user);
  if (own.length > 0 && !hasEnded) outlet.sendState(own, 0);
}

const NO_GAPS: readonly Gap[] = [];

function roomsOf(gaps: readonly Gap[]): string[] {
  return [...new Set(gaps.flatMap(({ rooms }) => rooms))];
}

async function giveSnapshot(
  stream: CatchingUp,
  reason: 'fresh' | 'gap',
  rooms: readonly string[],
): Promise<void> {
  const { snapshot } = stream.options;
  if (snapshot === undefined) return;
  // A snapshot may still refuse the stream with a status, but a slow one must not delay it.
  stream.limitHold();
  const own = rooms.filter((room) => !isReserved(room));
  if (own.length === 0) return;
  const messages: unknown = await stream.outlet.runInAsyncScope(() => snapshot(reason, own));
  if (!isList(messages)) {
    throw new SseOptionsError('stream().snapshot', 'a promise of an array of messages', messages);
  }
  await inSlices(stream, messages, (message) => {
    stream.outlet.send(message);
    if (stream.outlet.isLast(message)) stream.outlet.complete();
  });
}

async function replay(stream: CatchingUp, missed: Missed): Promise<void> {
  stream.resumeAt(missed);
  const { connection, outlet, state } = stream;
  const all = missed.events.filter(({ message: { type }, position, rooms, except }) => {
    if (!outlet.wants({ type, except })) return false;
    // mutant: what the state holds is replayed
    return state?.has({ type, position, rooms }) !== true;
  });
  if (all.length === 0) return;
  diagnostics.replay.publish({ connection, events: all.length });
  const events = stream.take(all);
  if (events.length === 0) return;
  if (outlet.takesAll && replayAsOne(stream, events)) return;
  await inSlices(stream, events, (event) => stream.give(event));
}

/** Returns false if the events are too many for that, or the client takes none now. */
function replayAsOne(stream: CatchingUp, events: Missed['events']): boolean {
  const { connection, delivery, outlet } = stream;
  const maxBytes = sliceBytes(connection);
  const size = events.reduce((sum, event) => sum + bodySize(event), 0);
  if (events.length > REPLAY_SLICE.items || size >= maxBytes) return false;
  const batch = delivery.replays.batchOf(events);
  return batch.bytes < maxBytes && outlet.passAll(batch, events.at(-1)?.position);
}

/**
 * Whether an event that ends the stream (`until`) was published already. Reads after the stream
 * went live, so a later one arrives by itself. If the newest events of many rooms are large, this
 * takes several reads, which do not delay the stream.
 */
async function isOver(stream: CatchingUp): Promise<boolean> {
  const { delivery } = stream;
  if (!delivery.keepsHistory) return false;
  let rest = ownRooms(stream.rooms);
  while (rest.length > 0 && !stream.hasEnded) {
    const range = { after: 0, maxEvents: rest.length, maxBytes: REPLAY_CAP.bytes, newest: true };
    const read = await delivery.log.read(rest, range);
    const newest = read.rooms.flatMap(({ entries }) => entries.slice(-1));
    if (isOneLast(stream, await newestPlain(stream, newest))) return true;
    const unread = rest.filter((_room, n) => {
      const { entries, isWhole } = read.rooms[n] ?? NO_ROOM;
      return entries.length === 0 && !isWhole;
    });
    if (unread.length === rest.length) break;
    rest = unread;
    if (rest.length > 0) stream.limitHold();
  }
  return false;
}

/**
 * Replaces changes of entries by the newest other event of their room: an entry may end after the
 * last event.
 */
async function newestPlain(
  { delivery }: CatchingUp,
  newest: readonly RoomEntry[],
): Promise<RoomEntry[]> {
  const plain = newest.filter(({ event }) => !isStateChange(event.message.type));
  for (const { event } of newest) {
    const [room = ''] = event.rooms;
    const state = isStateChange(event.message.type)
      ? await delivery.states.read(room, event)
      : undefined;
    if (state === undefined) continue;
    const range = { after: state.lastPlain - 1, maxEvents: 1, maxBytes: REPLAY_CAP.bytes };
    const [read = NO_ROOM] = (await delivery.log.read([room], range)).rooms;
    // If it is no longer kept, this is a later one.
    plain.push(...read.entries.filter((entry) => entry.event.position === state.lastPlain));
  }
  return plain;
}

const NO_ROOM: Pick<RoomState, 'entries' | 'isWhole'> = { entries: [], isWhole: true };

function isOneLast({ delivery, outlet, passedUpTo }: CatchingUp, newest: readonly RoomEntry[]) {
  return outlet.runInAsyncScope(() =>
    newest
      // mutant: an end that has not arrived yet ends the stream
      .filter(({ event }) => event.position <= passedUpTo && outlet.mayBeLast(event.message))
      .map(({ event }) => delivery.eventOf(event))
      .some((event) => outlet.wants(event) && outlet.passesFilter(event) && outlet.isLast(event)),
  );
}

function isList(messages: unknown): messages is readonly SseMessage[] {
  return Array.isArray(messages);
}
