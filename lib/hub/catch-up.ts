import type { Stream } from '../connection/stream.js';
import { SseOptionsError } from '../ground/errors.js';
import type { EventMap } from '../log/event.js';
import type { Gap, RoomEntry, RoomState } from '../log/event-log.js';
import { readMissed, readRewind, REPLAY_CAP, type Missed } from '../log/resume.js';
import type { Cursor, Position } from '../wire/cursor.js';
import type { SseMessage } from '../wire/frame.js';
import type { Delivery } from './delivery.js';
import { diagnostics } from './diagnostics.js';
import type { HubStreamOptions } from './hub.options.js';
import type { Outlet } from './outlet.js';

/** After this many items or bytes, a replay or snapshot pauses until the client has read them. */
const REPLAY_SLICE = { items: 64, bytes: 65_536 };

/** The subscription that catches up. Until it is live, new events wait in it. */
export interface CatchingUp {
  readonly delivery: Delivery;
  readonly rooms: readonly string[];
  readonly options: HubStreamOptions<EventMap>;
  readonly connection: Stream | undefined;
  readonly hasEnded: boolean;
  /** Whether the hub's log has a new epoch that the client does not know of yet. */
  readonly hasRestarted: boolean;
  readonly hasGaps: boolean;
  /** Returns the gaps that the client has not been sent, and removes them. */
  takeGaps(): Gap[];
  /** Adopts the epoch and the gaps of a read. These gaps are sent before any others. */
  enterLog(missed: Missed): void;
  /** Counts everything up to the barrier of the read as delivered. */
  resumeAt(missed: Missed): void;
  /** Passes on the held events, and from now on each event as it arrives. */
  goLive(): void;
  /** Releases an opening that waits for the catch-up after `openWithinMs`. */
  limitHold(): void;
  /** Every event up to here, live or replayed, has reached the outlet. */
  readonly passedUpTo: Position;
  readonly outlet: Outlet;
}

/**
 * Brings a client up to date: first the gaps, then a snapshot, then the missed events, then the
 * events that were held while those were read. No event is sent twice, or left out without a gap.
 * @param brought the cursors that the client brought; `undefined` for a new client
 */
export async function catchUp(
  stream: CatchingUp,
  brought: readonly Cursor[] | undefined,
): Promise<void> {
  const missed = await readFor(stream, brought);
  if (stream.hasEnded) return;
  stream.enterLog(missed);
  if (brought === undefined) await giveSnapshot(stream, 'fresh', stream.rooms);
  else await sendGaps(stream);
  if (stream.hasEnded) return;
  if (!stream.hasRestarted) await replay(stream, missed);
  await goLive(stream);
}

/**
 * Sends gaps that came up during the catch-up, then goes live. From the last check for gaps to the
 * last held event, nothing is asynchronous, so no event can get between them.
 */
export async function goLive(stream: CatchingUp): Promise<void> {
  while (stream.hasGaps && !stream.hasEnded) await sendGaps(stream);
  if (stream.hasEnded) return;
  stream.goLive();
  if (stream.hasEnded) return;
  stream.connection?.sendCursor();
  // mutant: a client that has read the last event waits
  if (await isOver(stream)) stream.outlet.complete();
}

function readFor(
  { delivery, rooms, options, connection }: CatchingUp,
  brought: readonly Cursor[] | undefined,
): Promise<Missed> {
  const { log, keepsHistory, head } = delivery;
  const { rewind, onGap } = options;
  if (brought !== undefined) {
    const own = brought.find(({ epoch }) => epoch === head.epoch);
    const reads = (own && log.readsFor?.(own)) ?? log;
    // Read the rest from the log itself: this process may not know the newest events of a room.
    const rest = onGap === 'rest' ? log : undefined;
    const missed = readMissed(reads, rooms, brought, REPLAY_CAP, rest);
    return connection?.isOftenCut ? missed.then((all) => withoutReplay(all, rooms)) : missed;
  }
  if (!keepsHistory || rewind === undefined) {
    // Everything published from now on is delivered live.
    const { epoch, position } = head;
    const nothing = { gaps: [], events: [], barrier: position, epoch, resumedFrom: position };
    return Promise.resolve(nothing);
  }
  const wanted =
    typeof rewind === 'number' ? { count: rewind } : { since: (Date.now() - rewind.ms) * 1000 };
  return readRewind(log, rooms, wanted);
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

/** Sends the gaps, then the snapshot if the stream has one. */
async function sendGaps(stream: CatchingUp): Promise<void> {
  const gaps = stream.takeGaps();
  if (gaps.length === 0) return;
  for (const gap of gaps) stream.outlet.sendGap(gap);
  if (stream.options.onGap === 'end') stream.outlet.complete();
  else await giveSnapshot(stream, 'gap', [...new Set(gaps.flatMap(({ rooms }) => rooms))]);
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
  const messages: unknown = await stream.outlet.runInAsyncScope(() => snapshot(reason, [...rooms]));
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
  if (missed.gaps.length > 0 && stream.options.onGap === 'skip') return;
  const shared = missed.events
    .map((event) => stream.delivery.eventOf(event))
    .filter((event) => stream.outlet.wants(event));
  if (shared.length > 0) {
    diagnostics.replay.publish({ connection: stream.connection, events: shared.length });
  }
  await inSlices(stream, shared, (event) => stream.outlet.pass(event));
}

/** Never sends more than the client takes: its own replay must not count as slowness. */
async function inSlices<T>(
  stream: CatchingUp,
  items: readonly T[],
  give: (item: T) => void,
): Promise<void> {
  const { connection } = stream;
  const maxBufferedBytes = connection?.settings.maxBufferedBytes ?? Infinity;
  const bytes = Math.min(REPLAY_SLICE.bytes, maxBufferedBytes / 2);
  for (const [n, item] of items.entries()) {
    if (stream.hasEnded) return;
    give(item);
    // A short replay is written together with what follows.
    const isLastOfMany =
      n + 1 === items.length && (n >= REPLAY_SLICE.items || connection?.isBlocked === true);
    const isFull = (n + 1) % REPLAY_SLICE.items === 0 || isLastOfMany;
    // It rejects only when the connection has ended. The subscription has then ended, too.
    if (isFull || (connection?.bufferedBytes ?? 0) >= bytes)
      await connection?.written().catch(() => {});
  }
}

/**
 * Whether an event that ends the stream (`until`) was published already. Reads after the stream
 * went live, so a later one arrives by itself. If the newest events of many rooms are large, this
 * takes several reads, which do not delay the stream.
 */
async function isOver(stream: CatchingUp): Promise<boolean> {
  const { delivery, outlet } = stream;
  if (!outlet.hasLast || !delivery.keepsHistory) return false;
  let rest = stream.rooms;
  while (rest.length > 0 && !stream.hasEnded) {
    const range = { after: 0, maxEvents: rest.length, maxBytes: REPLAY_CAP.bytes, newest: true };
    const read = await delivery.log.read(rest, range);
    const newest = read.rooms.flatMap(({ entries }) => entries.slice(-1));
    if (isOneLast(stream, newest)) return true;
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

const NO_ROOM: Pick<RoomState, 'entries' | 'isWhole'> = { entries: [], isWhole: true };

function isOneLast({ delivery, outlet, passedUpTo }: CatchingUp, newest: readonly RoomEntry[]) {
  return outlet.runInAsyncScope(() =>
    newest
      // mutant: an end that has not arrived yet ends the stream
      .filter(({ event }) => event.position <= passedUpTo && outlet.isLast(event.message))
      .some(({ event }) => outlet.passesFilter(delivery.eventOf(event))),
  );
}

function isList(messages: unknown): messages is readonly SseMessage[] {
  return Array.isArray(messages);
}
