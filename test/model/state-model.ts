import { Logger } from '@nestjs/common';
import { filter, tap, type Observable } from 'rxjs';
import { Hub } from '../../lib/hub/hub.js';
import { HubState } from '../../lib/hub/state.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import { formatCursor } from '../../lib/wire/cursor.js';
import { ModelClient, type Item } from './client.js';
import type { ProcessLog } from './model.js';
import { Schedule } from './schedule.js';
import { SharedLog } from './shared-log.js';

export interface StateModelOptions {
  readonly steps: number;
  /** How many events a room keeps: with few, most returns get the state. */
  readonly maxEvents: number;
  readonly often: Readonly<Record<Action, number>>;
}

type Action =
  | 'set'
  | 'delete'
  | 'setOnCondition'
  | 'plain'
  | 'goOn'
  | 'arrive'
  | 'receive'
  | 'keepAlive'
  | 'readSlowly'
  | 'readAgain'
  | 'drop'
  | 'return'
  | 'failOver';

/** What a run has shown: the lists have to be empty. */
export interface StateFindings {
  /** Copies that differ from the state at the end. */
  readonly different: string[];
  /** Changes that a connection got although it had a newer one of the entry, or a newer state. */
  readonly older: string[];
  /** Gaps of rooms that only ever had entries. */
  readonly gaps: string[];
  /** Plain events that a client neither got nor was told of. */
  readonly missed: string[];
  /** Ends of entries that had none, or not yet, or had been set again; and second ends. */
  readonly wrongEnds: string[];
  /** Conditions that were answered wrongly. */
  readonly conditions: string[];
  readonly changes: number;
  readonly states: number;
  readonly ends: number;
}

/** What the model itself knows of an entry. */
interface Entry {
  readonly uid: number;
  readonly position: string;
  readonly dueMs: number;
}

// Not a line for each of its connections.
Logger.overrideLogger(['warn', 'error']);

const ROOMS = ['s', 't', 'mixed'];
const KEYS = ['a', 'b', 'c', 'd'];

interface Process {
  readonly log: ProcessLog;
  readonly hub: Hub;
}

interface Reader {
  readonly client: ModelClient;
  readonly rooms: readonly string[];
  readonly open: (hub: Hub) => Observable<unknown>;
  /** What it gets of the time before it came is bounded. */
  readonly rewinds: boolean;
  since: number;
}

/**
 * Runs one schedule over state rooms: entries are set, deleted, set on a condition, and end, while
 * clients of two processes drop at any step, and the log loses its last writes.
 */
export async function runStateModel(
  seed: number,
  options: StateModelOptions,
): Promise<StateFindings> {
  const schedule = new Schedule(seed);
  const shared = new SharedLog(schedule, options.maxEvents);
  const wrongEnds: string[] = [];
  const conditions: string[] = [];
  const failures: unknown[] = [];
  const plain: { uid: number; step: number; isLost: boolean }[] = [];
  const truth = new Map<string, Entry>();
  let ends = 0;
  let uid = 0;
  let epochs = 0;

  const startProcess = async (): Promise<Process> => {
    const log = shared.connect();
    const hub = new Hub(log);
    await hub.start();
    return { log, hub };
  };
  let processes = [await startProcess(), await startProcess()];

  /** Through the log and not through a hub: the order of calls is the order of positions. */
  const writer = (room: string): HubState<Record<string, unknown>> =>
    new HubState(
      {
        log: shared,
        facts: { serialize: undefined, keepsHistory: true, maxBytes: false, maxRooms: false },
        publisher: {
          publish: async (make) => {
            const { epoch, position } = await shared.append(make());
            return position === undefined ? '' : formatCursor({ epoch, position });
          },
        },
      },
      room,
    );

  // What the log tells by itself are ends of entries.
  let isOurs = false;
  const watch = (): Promise<unknown> =>
    shared.follow(({ message: { type, data } }: LoggedEvent) => {
      if (type !== 'sse-delete' || isOurs) return;
      const { room, key } = data as { room: string; key: string };
      const entry = truth.get(`${room}/${key}`);
      ends++;
      if (entry === undefined) wrongEnds.push(`${room}/${key} ended, and was not there`);
      else if (entry.dueMs > shared.nowMs) wrongEnds.push(`${room}/${key} ended too early`);
      truth.delete(`${room}/${key}`);
    });
  await watch();
  const ours = <T>(call: () => T): T => {
    isOurs = true;
    try {
      return call();
    } finally {
      isOurs = false;
    }
  };

  const change = (action: 'set' | 'delete' | 'setOnCondition'): void => {
    shared.pass(schedule.below(300));
    // Whatever is due ends first.
    shared.now.entry('s', 'a').catch(() => {});
    const room = schedule.pick(ROOMS)!;
    const key = schedule.pick(KEYS)!;
    const name = `${room}/${key}`;
    const known = truth.get(name);
    const state = writer(room);
    if (action === 'delete') {
      ours(() => state.delete(key)).catch((error: unknown) => failures.push(error));
      truth.delete(name);
      return;
    }
    const own = uid++;
    const ttlMs = schedule.below(4) === 0 ? 1 + schedule.below(3) : undefined;
    const ttl = ttlMs === undefined ? {} : { ttlMs };
    const isAbsent = schedule.below(2) === 0;
    const old =
      schedule.below(2) === 0 ? formatCursor({ epoch: shared.epoch, position: uid }) : undefined;
    const ifPosition = old ?? known?.position ?? formatCursor({ epoch: shared.epoch, position: 1 });
    const condition = action === 'set' ? {} : isAbsent ? { ifAbsent: true } : { ifPosition };
    const holds =
      action === 'set' ||
      (isAbsent ? known === undefined : known !== undefined && ifPosition === known.position);
    const changed = ours(() => state.set(key, own, { ...ttl, ...condition }));
    if (holds) {
      const dueMs = ttlMs === undefined ? Infinity : shared.nowMs + ttlMs;
      const position = formatCursor(shared);
      truth.set(name, { uid: own, position, dueMs });
    }
    void changed
      .then(() => undefined)
      .catch((error: { code?: string }) => error)
      .then((error) => {
        if (error !== undefined && error.code !== 'SSE_CONFLICT') failures.push(error);
        const isSet = error === undefined;
        return isSet === holds ? 0 : conditions.push(`${name} was set by ${own}: ${isSet}`);
      });
  };

  const publishPlain = (): void => {
    shared.pass(schedule.below(4));
    const own = uid++;
    plain.push({ uid: own, step: schedule.step, isLost: false });
    const event = { rooms: ['mixed'], message: { type: 'note', data: own }, body: '' };
    shared
      .append({ ...event, body: `event: note\ndata: ${own}\n` })
      .catch((error: unknown) => failures.push(error));
  };

  const currentStep = (): number => schedule.step;
  const readers = Array.from({ length: 6 }, (_, n) => makeReader(n, schedule, currentStep));
  const connect = (reader: Reader): void => {
    if (reader.client.lastEventId === undefined) reader.since = schedule.step;
    reader.client.items.push({ kind: 'connect', step: schedule.step });
    reader.client.connect(reader.open(schedule.pick(processes)!.hub));
  };

  const failOver = async (): Promise<void> => {
    shared.pass(50);
    for (const { client } of readers) if (client.isConnected) client.drop();
    // The oracle of ends and conditions begins again with what the log has.
    ours(() => shared.failOver(1 + schedule.below(3), `model${++epochs}`));
    for (const event of plain) event.isLost = !shared.has(event.uid);
    truth.clear();
    for (const room of ROOMS) {
      for (const event of (await shared.now.entries(room))?.events ?? []) {
        const { key, value } = event.message.data as { key: string; value: number };
        const dueMs = shared.dueMsOf(value);
        truth.set(`${room}/${key}`, { uid: value, position: formatCursor(event), dueMs });
      }
    }
    processes = [await startProcess(), await startProcess()];
    await watch();
  };

  const act = async (action: Action): Promise<void> => {
    const reader = schedule.pick(readers)!;
    const { client } = reader;
    if (action === 'set' || action === 'delete' || action === 'setOnCondition') change(action);
    if (action === 'plain') publishPlain();
    if (action === 'goOn') schedule.release();
    if (action === 'arrive') {
      const { log } = schedule.pick(processes)!;
      for (let left = 1 + schedule.below(6); left > 0 && log.arrive(); left--);
    }
    if (action === 'receive') client.receive(1 + schedule.below(3));
    if (action === 'keepAlive') client.keepAlive();
    if (action === 'readSlowly') client.readSlowly();
    if (action === 'readAgain') client.readAgain();
    if (action === 'drop' && client.isConnected) client.drop();
    if (action === 'return' && !client.isConnected) connect(reader);
    if (action === 'failOver') await failOver();
  };
  // A room whose only entry was lost is no state room any more.
  if (options.often.failOver > 0) {
    for (const room of ROOMS) {
      for (let n = 0; n < 4; n++) await writer(room).set('first', uid++);
    }
  }
  const actions = Object.entries(options.often) as [Action, number][];

  for (; schedule.step < options.steps; schedule.step++) {
    await act(schedule.weighted(actions));
    if (schedule.below(3) > 0) await turn();
  }
  // The clock stands still from here on, so what is due ends now.
  await shared.now.entry('s', 'a');
  // Everybody comes back and reads all there is.
  for (let quiet = 0; quiet < 12; schedule.step++) {
    if (schedule.step > options.steps + 10_000) throw new Error(`Seed ${seed}: never at rest`);
    let isBusy = false;
    for (const reader of readers) {
      const { client } = reader;
      if (!client.isConnected) connect(reader);
      client.readAgain();
      isBusy = client.receive(99) || isBusy;
    }
    for (const { log } of processes) while (log.arrive()) isBusy = true;
    while (schedule.release()) isBusy = true;
    quiet = isBusy ? 0 : quiet + 1;
    await turn();
  }

  const different: string[] = [];
  for (const room of ROOMS) {
    const read = await shared.now.entries(room);
    const expected = Object.fromEntries(
      (read?.events ?? []).map(({ message }) => {
        const { key, value } = message.data as { key: string; value: unknown };
        return [key, value];
      }),
    );
    for (const [n, { client, rooms }] of readers.entries()) {
      if (!rooms.includes(room)) continue;
      const copy = copyOf(client.items, room);
      if (isSame(copy, expected)) continue;
      const [has, should] = [JSON.stringify(copy), JSON.stringify(expected)];
      different.push(`client ${n} has ${has} of ${room}, and should have ${should}`);
    }
  }
  const findings = {
    different,
    ...judge(readers, plain),
    wrongEnds,
    conditions,
    changes: uid,
    ends,
  };
  for (const { client } of readers) await client.leave();
  for (const { hub } of processes) await hub.close();
  await shared.close();
  if (failures.length > 0) throw failures[0];
  return findings;
}

function makeReader(n: number, schedule: Schedule, step: () => number): Reader {
  const all = [...ROOMS, 'none'];
  const rooms = [
    ...new Set(Array.from({ length: 1 + schedule.below(3) }, () => schedule.pick(all)!)),
  ];
  const client = new ModelClient(step, schedule.below(30) === 0);
  const kinds: ((hub: Hub) => Observable<unknown>)[] = [
    (hub) => hub.stream(rooms),
    (hub) => hub.stream(rooms, { onGap: 'rest' }),
    (hub) => hub.stream(rooms, { rewind: 3 }),
    (hub) => hub.stream(rooms, { types: ['note'] }),
    (hub) => hub.stream(rooms, { filter: () => true }),
    (hub) => hub.stream(rooms).pipe(filter(() => true)),
  ];
  const open = kinds[n % kinds.length]!;
  const rewinds = n % kinds.length === 2;
  const isDirect = schedule.below(2) === 0;
  return {
    client,
    rooms,
    rewinds,
    since: 0,
    open: isDirect ? open : (hub) => open(hub).pipe(tap()),
  };
}

/** The copy of a client that follows the guide: a state counts once all of it has come. */
function copyOf(items: readonly Item[], room: string): Record<string, unknown> {
  let copy = new Map<string, unknown>();
  let coming: Map<string, unknown> | undefined;
  let left = 0;
  for (const item of items) {
    if (item.kind === 'connect') coming = undefined;
    if (item.kind === 'state' && item.room === room) {
      coming = new Map();
      left = item.entries;
    } else if (item.kind === 'set' && item.room === room) {
      if (coming !== undefined && item.id === undefined) left--;
      (item.id === undefined && coming !== undefined ? coming : copy).set(item.key, item.value);
    } else if (item.kind === 'delete' && item.room === room) {
      copy.delete(item.key);
    }
    if (coming !== undefined && left === 0) {
      copy = coming;
      coming = undefined;
    }
  }
  return Object.fromEntries(copy);
}

const isSame = (one: Record<string, unknown>, other: Record<string, unknown>): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(one).every(([key, value]) => other[key] === value);

function judge(
  readers: readonly Reader[],
  plain: readonly { readonly uid: number; readonly step: number; readonly isLost: boolean }[],
): Pick<StateFindings, 'older' | 'gaps' | 'missed' | 'states'> {
  const older: string[] = [];
  const gaps: string[] = [];
  const missed: string[] = [];
  let states = 0;
  for (const [n, { client, rooms, rewinds, since }] of readers.entries()) {
    /** The newest that this connection got, by room and by entry. */
    let newest = new Map<string, number>();
    for (const item of client.items) {
      if (item.kind === 'connect') newest = new Map();
      if (item.kind === 'state') states++;
      if (item.kind === 'gap') {
        const wrong = item.rooms.filter((room) => room === 's' || room === 't');
        if (wrong.length > 0) gaps.push(`client ${n}: ${wrong.join()} (${item.reason})`);
      }
      if (item.kind !== 'set') continue;
      const { room, key, id } = item;
      const uid = Number(item.value);
      const last = Math.max(newest.get(room) ?? -1, newest.get(`${room}/${key}`) ?? -1);
      if (id !== undefined && uid < last) {
        older.push(`client ${n} got ${room}/${key} = ${uid} after ${last}`);
      }
      const name = id === undefined ? room : `${room}/${key}`;
      newest.set(name, Math.max(newest.get(name) ?? -1, uid));
    }
    if (!rooms.includes('mixed') || rewinds) continue;
    const got = new Set(client.items.map((item) => (item.kind === 'event' ? item.uid : -1)));
    for (const event of plain) {
      if (event.step <= since || event.isLost || got.has(event.uid)) continue;
      const isTold = client.items.some(
        (item) => item.kind === 'gap' && item.step >= event.step && item.rooms.includes('mixed'),
      );
      if (!isTold) missed.push(`client ${n} was not told that mixed lost ${event.uid}`);
    }
  }
  return { older, gaps, missed, states };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
