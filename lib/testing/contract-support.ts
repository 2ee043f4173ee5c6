import assert from 'node:assert/strict';
import type { EntryChange, EntryEnd, RoomEntries } from '../log/entries.js';
import type { LoggedEvent } from '../log/event.js';
import type {
  Appended,
  EventLog,
  LogFollower,
  NewEvent,
  RoomEntry,
  RoomsRange,
  RoomState,
} from '../log/event-log.js';
import type { HistoryOptions } from '../log/history.options.js';
import { STATE_DEFAULTS, type StateOptions } from '../log/state.options.js';
import type { Cursor } from '../wire/cursor.js';
import { encodeBody } from '../wire/frame.js';
import { Deferred } from '../ground/deferred.js';

/**
 * Creates an empty log with this history, and with these limits of entries. The suite closes it.
 * @publicApi
 */
export type OpenLog = (
  history: Required<HistoryOptions>,
  state: Required<StateOptions>,
) => Promise<EventLog> | EventLog;

/**
 * A title, and a function that rejects if the log breaks the contract.
 * @publicApi
 */
export type ContractCase = readonly [title: string, run: () => Promise<void>];

export const ROOMY = { maxEvents: 1_000, maxAgeMs: 300_000, maxBytes: 67_108_864 };

/** Runs a case with an empty log, and closes it. */
export type WithLog = (
  run: (log: EventLog) => Promise<void>,
  history?: Required<HistoryOptions>,
  state?: Required<StateOptions>,
) => () => Promise<void>;

export const withLogOf =
  (open: OpenLog): WithLog =>
  (run, history = ROOMY, state = STATE_DEFAULTS) =>
  async () => {
    const log = await open(history, state);
    try {
      await run(log);
    } finally {
      await log.close();
    }
  };

/** Takes events only. Lost events fail the case. */
export function listening(listener: (logged: LoggedEvent) => void): LogFollower {
  return {
    event: listener,
    rooms: () => [],
    lost: ({ rooms }) => assert.fail(`events of ${rooms.join()} were lost`),
    caughtUp: () => {},
  };
}

export function event(rooms: readonly string[], data = 'x'): NewEvent {
  const message = { type: 'test', data };
  return { rooms, message, body: encodeBody(message) };
}

export async function appendAll(
  log: EventLog,
  count: number,
  rooms: (n: number) => readonly string[],
): Promise<Appended[]> {
  const appended: Appended[] = [];
  for (let n = 0; n < count; n++) appended.push(await log.append(event(rooms(n), `event ${n}`)));
  return appended;
}

export const ALL: RoomsRange = { after: 0, maxEvents: 1_000, maxBytes: ROOMY.maxBytes };

export async function stateOf(
  log: EventLog,
  room: string,
  range: Partial<RoomsRange> = {},
): Promise<RoomState> {
  const { rooms } = await log.read([room], { ...ALL, ...range });
  const [state] = rooms;
  assert.ok(state !== undefined && rooms.length === 1, 'one answer for one room');
  return state;
}

export async function entriesOf(
  log: EventLog,
  room: string,
  range?: Partial<RoomsRange>,
): Promise<readonly RoomEntry[]> {
  return (await stateOf(log, room, range)).entries;
}

export function positionsOf(entries: readonly RoomEntry[]): number[] {
  return entries.map((entry) => entry.event.position);
}

export function until(seen: LoggedEvent[], count: number) {
  const all = new Deferred<void>();
  const add = (logged: LoggedEvent): void => {
    seen.push(logged);
    if (seen.length === count) all.resolve();
  };
  return { promise: all.promise, add };
}

/** An event that sets an entry. */
export function setting(
  room: string,
  key: string,
  value: unknown,
  change: Partial<EntryChange> = {},
): NewEvent {
  const message = { type: 'set', data: { key, value } };
  const entry = { key, kind: 'set', ...change } as const;
  return { rooms: [room], message, body: encodeBody(message), entry };
}

/** An event that deletes an entry. */
export function deleting(
  room: string,
  key: string,
  condition?: EntryChange['condition'],
): EntryEnd {
  const message = { type: 'delete', data: { key } };
  const entry = { key, kind: 'delete', ...(condition && { condition }) } as const;
  return { rooms: [room], message, body: encodeBody(message), entry };
}

/** Key and value of each entry, as its event has them. */
export function valuesOf({ events }: Pick<RoomEntries, 'events'>): [string, unknown][] {
  return events.map(({ message }) => {
    const { key, value } = message.data as { key: string; value: unknown };
    return [key, value];
  });
}

/** The entries of a room that has had any. */
export async function roomOf(log: EventLog, room: string): Promise<RoomEntries> {
  const read = await log.entries(room);
  assert.ok(read !== undefined, 'the room has had entries');
  return read;
}

/** The cursor of an event that was appended. */
export function cursorOf({ epoch, position }: Appended): Cursor {
  assert.ok(position !== undefined, 'it has a position');
  return { epoch, position };
}
