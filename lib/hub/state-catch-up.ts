import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RoomEntries } from '../log/entries.js';
import type { Gap } from '../log/event-log.js';
import { bodySize } from '../log/large-event.js';
import type { Cursor, Position } from '../wire/cursor.js';
import type { CatchingUp } from './catching-up.js';
import { GivenState } from './given-state.js';
import { isRoster } from '../wire/room-names.js';
import { inSlices } from './slices.js';

/** The states of rooms that have, or had, entries. */
export type States = ReadonlyMap<string, RoomEntries>;

export const NO_STATES: States = new Map<string, never>();

/** Of a room without entries, every event is plain. */
const NO_STATE = { hasPlain: true, lastPlain: Infinity };

/** At most this many rooms are read at the same time. */
const MAX_READS = 16;
/** This many entries are filtered in one turn of the event loop. */
const SLICE = 500;

/** Reads the states of rooms, at this position or a later one. */
export async function readStates(
  { delivery }: CatchingUp,
  rooms: readonly string[],
  at: Cursor,
): Promise<States> {
  const states = new Map<string, RoomEntries>();
  const rest = rooms.values();
  const readOn = async (): Promise<void> => {
    for (const room of rest) {
      const state = await delivery.states.read(room, at);
      if (state !== undefined) states.set(room, state);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_READS, rooms.length) }, readOn));
  return states;
}

/**
 * The gaps without the rooms that lost nothing but changes of entries. If the client's position is
 * not known, a room that has other events may have lost some.
 */
export function withoutStates(gaps: readonly Gap[], states: States, from?: Position): Gap[] {
  const lostPlain = (room: string, isKnown: boolean): boolean => {
    // It has nothing but entries.
    if (isRoster(room)) return false;
    const { hasPlain, lastPlain } = states.get(room) ?? NO_STATE;
    return isKnown && from !== undefined ? lastPlain > from : hasPlain;
  };
  return gaps
    .map(({ rooms, reason }) => {
      const isKnown = reason === 'trimmed' || reason === 'overflow';
      return { rooms: rooms.filter((room) => lostPlain(room, isKnown)), reason };
    })
    .filter(({ rooms }) => rooms.length > 0);
}

/**
 * Sends the state of each room: how many entries it has, then the entries, without ids. Until the
 * client has all of it, it returns with its old cursor, and gets the state again.
 * @param rooms all rooms to send a state of, also the empty one of a room that has none
 */
export async function giveStates(
  stream: CatchingUp,
  states: States,
  rooms: readonly string[] = [...states.keys()],
): Promise<void> {
  for (const room of rooms) {
    if (stream.hasEnded) return;
    await giveState(stream, room, states.get(room));
  }
}

async function giveState(
  stream: CatchingUp,
  room: string,
  state: RoomEntries | undefined,
): Promise<void> {
  stream.limitHold();
  const events = await passing(stream, state?.events ?? []);
  if (stream.hasEnded) return;
  const size = events.reduce((sum, event) => sum + bodySize(event), 0);
  // mutant: what comes while the state is read is lost
  if (state !== undefined) (stream.state ??= new GivenState()).give(room, state.position, size);
  const { outlet } = stream;
  outlet.sendState([room], events.length);
  await inSlices(stream, events, (event) => outlet.sendEntry(event));
}

/** The entries that pass the filter of the stream. */
async function passing(
  { delivery, outlet, options }: CatchingUp,
  events: RoomEntries['events'],
): Promise<RoomEntries['events']> {
  if (options.filter === undefined) return events;
  const kept: RoomEntries['events'][number][] = [];
  for (const [n, event] of events.entries()) {
    const passes = outlet.runInAsyncScope(() => outlet.passesFilter(delivery.eventOf(event)));
    if (passes) kept.push(event);
    if (n % SLICE === SLICE - 1) await nextTurn();
  }
  return kept;
}
