import { Logger } from '@nestjs/common';
import { concatMap, filter, tap, type Observable } from 'rxjs';
import { Hub } from '../../lib/hub/hub.js';
import type { HubStreamOptions } from '../../lib/hub/hub.options.js';
import type { LoggedEvent } from '../../lib/log/event.js';
import type { EventMap } from '../../lib/log/event.js';
import { JOINS_NOW } from '../../lib/hub/stored-rooms.js';
import { ModelClient, type Item } from './client.js';
import type { ProcessLog } from './model.js';
import { judge, type Change, type Published, type Reader } from './rooms-oracle.js';
import { Schedule } from './schedule.js';
import { SharedLog } from './shared-log.js';

export interface RoomsModelOptions {
  readonly steps: number;
  /** How many events a room keeps: with few, gaps are right. */
  readonly maxEvents: number;
  readonly often: Readonly<Record<Action, number>>;
}

type Action =
  | 'publish'
  | 'change'
  | 'goOn'
  | 'arrive'
  | 'receive'
  | 'keepAlive'
  | 'readSlowly'
  | 'readAgain'
  | 'drop'
  | 'vanish'
  | 'notice'
  | 'return'
  | 'failOver';

/** What a run has shown: the lists have to be empty. */
export interface RoomsFindings {
  readonly missed: string[];
  readonly doubled: string[];
  readonly inverted: string[];
  /** Gaps although nothing was let go. */
  readonly needless: string[];
  /** Events of rooms that were left, or had not joined yet. */
  readonly foreign: string[];
  /** Changes that were answered, and are not in force; rooms that are not those that were told. */
  readonly forgotten: string[];
  /** Old events that a room which joined owed, as to a new client. */
  readonly withheld: string[];
  readonly gaps: number;
  readonly events: number;
  readonly changes: number;
}

interface Process {
  readonly log: ProcessLog;
  readonly hub: Hub;
}

// Not a line for each of its connections.
Logger.overrideLogger(['warn', 'error']);

const ROOMS = ['a', 'b', 'c', 'd', 'e'];
/** Nobody may read it. */
const SECRET = 'secret';
/** What joins at the end, when all is quiet. */
const LAST = 'last';
const REWIND = 3;

/**
 * Runs one schedule over streams whose rooms change: by requests to any process, while the client
 * catches up or is away, while the log and `authorize` are slow; and over plain streams whose URLs
 * ask for more rooms at each return.
 */
export async function runRoomsModel(
  seed: number,
  options: RoomsModelOptions,
): Promise<RoomsFindings> {
  const schedule = new Schedule(seed);
  const shared = new SharedLog(schedule, options.maxEvents);
  const published: Published[] = [];
  /** What the log was told of the rooms of each stream, by its key. */
  const changes = new Map<string, Change[]>();
  const failures: unknown[] = [];
  const forgotten: string[] = [];
  let epochs = 0;
  let changed = 0;

  const startProcess = async (): Promise<Process> => {
    const log = shared.connect();
    const hub = new Hub(log);
    await hub.start();
    return { log, hub };
  };
  const watch = (): Promise<unknown> =>
    shared.follow(({ rooms: [room = ''], message: { data }, position = 0 }: LoggedEvent) => {
      const { step } = schedule;
      const key = /^sse:stream:(.*)$/.exec(room)?.[1];
      if (typeof data === 'number') published[data]!.position = position;
      if (key === undefined) return;
      const { value } = data as {
        value?: { rooms: Record<string, number>; isUnchanged?: boolean };
      };
      const list = changes.get(key) ?? [];
      // Also what a connection writes that only takes the stream over.
      const isChange = value !== undefined && value.isUnchanged !== true;
      const rooms = Object.keys(value?.rooms ?? {});
      const joined = rooms.filter((name) => value?.rooms[name] === JOINS_NOW);
      if (isChange) list.push({ position, step, rooms, joined });
      changes.set(key, list);
    });
  await watch();
  let processes = [await startProcess(), await startProcess()];

  const publish = (rooms: readonly string[]): void => {
    shared.pass(schedule.below(4));
    const uid = published.length;
    published.push({ uid, rooms, step: schedule.step, isLost: false, position: 0 });
    const message = { type: uid % 2 === 0 ? 'even' : 'odd', data: uid };
    const body = `event: ${message.type}\ndata: ${uid}\n`;
    shared.append({ rooms, message, body }).catch((error: unknown) => failures.push(error));
  };

  const step = (): number => schedule.step;
  const readers = Array.from({ length: 7 }, (_, n) =>
    makeReader(n, schedule, step, options.often.failOver === 0),
  );
  const connect = (reader: Reader): void => {
    const { client } = reader;
    if (client.lastEventId === undefined) {
      reader.since = schedule.step;
      reader.begun = client.items.length;
      reader.isWaiting = reader.isChangeable;
    }
    client.items.push({ kind: 'connect', step: schedule.step });
    client.connect(reader.open(schedule.pick(processes)!.hub, reader.asked));
    reader.key = client.connection?.cursor.tail?.key;
    reader.asks.push({ step: schedule.step, rooms: reader.asked });
  };

  /** Answers whether it was asked: a stream has to be open. */
  const change = (reader: Reader, join: string[], leave: string[]): boolean => {
    const { client } = reader;
    const isOpening = (item: Item): boolean =>
      item.kind === 'connect' || (item.kind === 'rooms' && item.token !== undefined);
    const told = client.items.filter(isOpening).at(-1);
    if (told?.kind !== 'rooms' || told.token === undefined || reader.key === undefined)
      return false;
    const { key } = reader;
    const count = ++changed;
    const isFirst = ++reader.asking === 1;
    reader.lastChange = count;
    const { hub } = schedule.pick(processes)!;
    const answered = ({ rooms }: { rooms: string[] }): void => {
      const now = changes.get(key)?.at(-1)?.rooms ?? rooms;
      const isAlone = isFirst && reader.lastChange === count;
      const misses = join.some((room) => !now.includes(room));
      const has = leave.some((room) => now.includes(room));
      if (isAlone && (misses || has)) {
        forgotten.push(`${reader.name}: change ${count} was answered with ${rooms.join()}`);
      }
    };
    void hub
      .changeRooms({ stream: told.token, join, leave })
      .then(answered, (error: { getStatus?: () => number }) => {
        // 403: the secret room; 404 and 409: the client has returned meanwhile.
        const isKnown = [403, 404, 409].includes(error.getStatus?.() ?? 0);
        if (!isKnown) failures.push(error);
      })
      .finally(() => reader.asking--);
    return true;
  };

  const failOver = async (): Promise<void> => {
    shared.pass(50);
    for (const { client } of readers) if (client.isConnected) client.drop();
    for (const notice of vanished.splice(0)) notice();
    for (const reader of readers) reader.asking = 0;
    shared.failOver(1 + schedule.below(4), schedule.below(2) === 0 ? undefined : `m${++epochs}`);
    for (const event of published) event.isLost ||= !shared.has(event.uid);
    for (const [key, list] of changes) {
      const kept = (await shared.now.entry(`sse:stream:${key}`, 'rooms'))?.position ?? 0;
      changes.set(
        key,
        list.filter(({ position }) => position <= kept),
      );
    }
    await watch();
    processes = [await startProcess(), await startProcess()];
  };

  /** A new client is owed nothing of the time in which it waits for `authorize`. */
  const wait = (): void => {
    for (const reader of readers) {
      if (!reader.isWaiting) continue;
      if ((reader.client.connection?.rooms ?? []).length === 0) reader.since = schedule.step;
      else reader.isWaiting = false;
    }
  };

  const vanished: (() => void)[] = [];
  const act = async (action: Action): Promise<void> => {
    const reader = schedule.pick(readers)!;
    const { client } = reader;
    if (action === 'publish') {
      const rooms = [ROOMS[schedule.below(5)]!, [...ROOMS, SECRET][schedule.below(14)]];
      publish([...new Set(rooms.filter((room) => room !== undefined))]);
    }
    if (action === 'change') {
      const join = ROOMS.filter(() => schedule.below(4) === 0);
      const leave = ROOMS.filter((room) => schedule.below(4) === 0 && !join.includes(room));
      if (schedule.below(8) === 0) join.push(SECRET);
      if (join.length + leave.length > 0) change(reader, join, leave);
    }
    if (action === 'goOn') schedule.release();
    if (action === 'arrive') {
      const { log } = schedule.pick(processes)!;
      for (let left = 1 + schedule.below(6); left > 0 && log.arrive(); left--);
    }
    if (action === 'receive') client.receive(1 + schedule.below(3));
    // A second one would end a stream whose first one `authorize` has not answered.
    const isAsking = reader.isGuarded && client.connection?.authorization.isAsking === true;
    if (action === 'keepAlive' && !isAsking) client.keepAlive();
    if (action === 'readSlowly') client.readSlowly();
    if (action === 'readAgain') client.readAgain();
    if (action === 'drop' && client.isConnected) client.drop();
    if (action === 'vanish' && client.isConnected) vanished.push(client.vanish());
    if (action === 'notice') vanished.splice(schedule.below(vanished.length), 1)[0]?.();
    if (action === 'return' && !client.isConnected) {
      if (!reader.isChangeable && schedule.below(3) === 0) ask(reader, schedule.pick(ROOMS)!);
      connect(reader);
    }
    if (action === 'failOver') await failOver();
  };
  const actions = Object.entries(options.often) as [Action, number][];

  /** Everybody comes back and reads all there is. */
  const comeToRest = async (): Promise<void> => {
    for (const notice of vanished.splice(0)) notice();
    const end = schedule.step + 10_000;
    for (let quiet = 0; quiet < 8; schedule.step++) {
      if (schedule.step > end) throw new Error(`Seed ${seed}: it never comes to rest`);
      let isBusy = false;
      for (const reader of readers) {
        const { client } = reader;
        if (!client.isConnected) connect(reader);
        client.readAgain();
        isBusy = client.receive(99) || isBusy;
      }
      for (const { log } of processes) while (log.arrive()) isBusy = true;
      while (schedule.release()) isBusy = true;
      wait();
      quiet = isBusy ? 0 : quiet + 1;
      await turn();
    }
  };

  for (; schedule.step < options.steps; schedule.step++) {
    await act(schedule.weighted(actions));
    wait();
    // Some things happen in one turn.
    if (schedule.below(3) > 0) await turn();
  }
  await comeToRest();
  // One more room for everybody. It has the newest events.
  for (let n = 0; n < REWIND; n++) publish([LAST]);
  await comeToRest();
  for (const { client } of readers) client.keepAlive();
  await comeToRest();
  for (const reader of readers) {
    if (reader.isChangeable && !change(reader, [LAST], [])) {
      forgotten.push(`${reader.name} has no stream at the end`);
    }
    if (reader.isChangeable) continue;
    ask(reader, LAST);
    reader.client.drop();
  }
  await comeToRest();
  // Once more, where another connection had gone on with the stream.
  for (const reader of readers) {
    const rooms = changes.get(reader.key ?? '')?.at(-1)?.rooms;
    if (reader.isChangeable && rooms?.includes(LAST) !== true) change(reader, [LAST], []);
  }
  for (let n = 0; n < 2; n++) {
    await comeToRest();
    for (const room of [...ROOMS, LAST]) publish([room]);
  }
  await comeToRest();
  const findings = judge(readers, published, changes, {
    isAllKept: options.maxEvents > published.length && options.often.failOver === 0,
    last: options.maxEvents > REWIND ? { room: LAST, rewind: REWIND } : undefined,
  });
  for (const { client } of readers) await client.leave();
  for (const { hub } of processes) {
    const rest = hub.rooms();
    if (rest.length > 0) forgotten.push(`a hub still reads ${rest.join()}`);
    await hub.close();
  }
  await shared.close();
  if (failures.length > 0) throw failures[0];
  return { ...findings, forgotten: [...forgotten, ...findings.forgotten], changes: changed };
}

function ask(reader: Reader, room: string): void {
  if (!reader.asked.includes(room)) reader.asked = [...reader.asked, room];
}

function makeReader(
  n: number,
  schedule: Schedule,
  step: () => number,
  keepsEpoch: boolean,
): Reader {
  const asked = [
    ...new Set(Array.from({ length: 1 + schedule.below(3) }, () => schedule.pick(ROOMS)!)),
  ];
  const keepsTail = schedule.below(2) === 0;
  const client = new ModelClient(step, schedule.below(30) === 0, keepsTail);
  const isEven = (uid: number): boolean => uid % 2 === 0;
  const all = (): boolean => true;
  const allowed = (_connection: unknown, rooms: readonly string[]): boolean =>
    !rooms.includes(SECRET);
  const slowly = async (_connection: unknown, rooms: readonly string[]): Promise<boolean> => {
    await schedule.pause();
    return !rooms.includes(SECRET);
  };
  const authorize = schedule.pick([allowed, slowly, undefined]);
  type Open = (hub: Hub, rooms: readonly string[]) => Observable<unknown>;
  const stream =
    (more: HubStreamOptions<EventMap> = {}): Open =>
    (hub, rooms) =>
      hub.stream(rooms, { changeable: true, ...(authorize && { authorize }), ...more });
  const plain = stream();
  const kinds: (Pick<Reader, 'open' | 'wants'> & Partial<Reader>)[] = [
    { open: plain, wants: all },
    { open: stream({ types: ['even'] }), wants: isEven },
    { open: stream({ rewind: REWIND }), wants: all, rewinds: true },
    {
      // An operator that holds events back for as long as the schedule wants, in order.
      open: (hub, rooms) =>
        plain(hub, rooms).pipe(concatMap(async (event) => (await schedule.pause(), event))),
      wants: all,
    },
    {
      open: (hub, rooms) =>
        plain(hub, rooms).pipe(filter((event) => isEven((event as { data: number }).data))),
      wants: isEven,
    },
    { open: (hub, rooms) => hub.stream(rooms, { rewind: REWIND }), wants: all, rewinds: true },
    // After another epoch, the rest is all that is kept.
    { open: stream(keepsEpoch ? { onGap: 'rest' } : {}), wants: all },
  ];
  const { open, ...kind } = kinds[n % kinds.length]!;
  const isDirect = schedule.below(2) === 0;
  return {
    name: `client ${n}${keepsTail ? ' (keeps its tail)' : ''}`,
    client,
    asked,
    asks: [],
    asking: 0,
    lastChange: 0,
    isGuarded: authorize !== undefined && n % kinds.length !== 5,
    isChangeable: n % kinds.length !== 5,
    keepsTail,
    rewinds: false,
    mayRepeat: n === 3 || n === 4,
    key: undefined,
    since: 0,
    begun: 0,
    isWaiting: false,
    ...kind,
    open: isDirect ? open : (hub, rooms) => open(hub, rooms).pipe(tap()),
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
