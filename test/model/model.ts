import { Logger } from '@nestjs/common';
import { concatMap, filter, tap, type Observable } from 'rxjs';
import type { Appended, EventLog, NewEvent } from '../../lib/log/event-log.js';
import { Hub } from '../../lib/hub/hub.js';
import { ModelClient, type Item } from './client.js';
import { Schedule } from './schedule.js';
import { SharedLog } from './shared-log.js';

export interface ModelOptions {
  readonly steps: number;
  /** How many events a room keeps: with few, gaps are right. */
  readonly maxEvents: number;
  /** How often each thing happens, beside the others. */
  readonly often: Readonly<Record<Exclude<Action, StoreAction>, number>> &
    Partial<Readonly<Record<StoreAction, number>>>;
}

type Action =
  | 'publish'
  | 'goOn'
  | 'arrive'
  | 'receive'
  | 'keepAlive'
  | 'say'
  | 'readSlowly'
  | 'readAgain'
  | 'drop'
  | 'return'
  | 'failOver'
  | 'cut'
  | 'loseNotification'
  | 'loseEverything'
  | 'backUp'
  | 'goBack'
  | 'goBackInPlace';

/** What only a log in a store of its own can do. */
type StoreAction = 'backUp' | 'goBack' | 'goBackInPlace';

/** What may go wrong on the way, or with the store. */
export type Disturbance = Extract<
  Action,
  'cut' | 'loseNotification' | 'loseEverything' | 'backUp' | 'goBack' | 'goBackInPlace'
>;

/** One log that several processes share, as the model needs it. */
export interface ModelLog {
  append(event: NewEvent): Promise<Appended>;
  /** As one process sees it. */
  connect(): ProcessLog;
  /** Time goes on, where the log's clock is the model's. */
  pass(microseconds: number): void;
  /** The events of the last `count` writes never were. */
  failOver(count: number): void;
  /** The store may go back to where `backUp` was, under another server or in place. */
  disturb(what: Disturbance): Promise<void>;
  /**
   * Resolves when the log has answered all that it was asked, and has told all processes of all
   * there is.
   */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface ProcessLog extends EventLog {
  /** Hands on what is next under way to this process. */
  arrive(): boolean;
}

/** What a run has shown: the lists have to be empty. */
export interface Findings {
  readonly missed: string[];
  readonly doubled: string[];
  readonly inverted: string[];
  /** Gaps although nothing was let go. */
  readonly needless: string[];
  /** Streams of a job that went on after its last event, or ended before it. */
  readonly endless: string[];
  /**
   * Events that a room still kept when its gap was told, and that a client which asked for the rest
   * did not get.
   */
  readonly withheld: string[];
  readonly gaps: number;
  readonly events: number;
  /** Streams that ended with their job. */
  readonly ends: number;
}

interface Published {
  readonly uid: number;
  readonly rooms: readonly string[];
  readonly step: number;
  readonly type: string;
  isLost: boolean;
}

interface Process {
  readonly log: ProcessLog;
  readonly hub: Hub;
}

/** What a client asks for, and which events it is owed. */
interface Reader {
  readonly client: ModelClient;
  readonly rooms: readonly string[];
  readonly open: (hub: Hub) => Observable<unknown>;
  readonly wants: (uid: number) => boolean;
  /** It asks for what is kept of a room with a gap. */
  readonly wantsRest?: boolean;
  /** Owed is what is published after the step in which it connected without a last event ID. */
  since: number;
}

// Not a line for each of its connections.
Logger.overrideLogger(['warn', 'error']);

const ROOMS = ['a', 'b', 'c', 'd', 'e', 'f'];
/** Has a last event, of the type `end`. */
const JOB = 'job';

/**
 * Runs one schedule over the real hub, log, resume, connections and frames: publishers, two
 * processes on one log, clients over one to five rooms that drop at any step and return to any
 * process, slow calls, slow readers, trimming, fail-over, and a job with an end.
 */
export async function runModel(
  seed: number,
  options: ModelOptions,
  open: (schedule: Schedule, maxEvents: number) => ModelLog = (schedule, maxEvents) =>
    new SharedLog(schedule, maxEvents),
): Promise<Findings> {
  const schedule = new Schedule(seed);
  const shared = open(schedule, options.maxEvents);
  const published: Published[] = [];
  const failures: unknown[] = [];
  const currentStep = (): number => schedule.step;
  const startProcess = async (): Promise<Process> => {
    const log = shared.connect();
    const hub = new Hub(log);
    await hub.start();
    return { log, hub };
  };
  let processes = [await startProcess(), await startProcess()];

  const publish = (): void => {
    shared.pass(schedule.below(4));
    const uid = published.length;
    let rooms = [...new Set([ROOMS[schedule.below(5)]!, ROOMS[schedule.below(12)] ?? 'a'])];
    let type = uid % 2 === 0 ? 'even' : 'odd';
    if (schedule.below(2) === 0) rooms = published.at(-1)?.rooms.slice(0, 1) ?? rooms;
    if (rooms[0] === JOB) rooms = ['a'];
    if (schedule.below(8) === 0 && !published.some(isEnd)) {
      rooms = [JOB];
      if (schedule.below(8) === 0) type = 'end';
    }
    published.push({ uid, rooms, type, step: schedule.step, isLost: false });
    // Through the log and not through a hub: the order of calls is the order of positions.
    const message = { type, data: uid };
    const body = `event: ${message.type}\ndata: ${uid}\n`;
    shared.append({ rooms, message, body }).catch((error: unknown) => failures.push(error));
  };

  const readers = Array.from({ length: 7 }, (_, n) => makeReader(n, schedule, currentStep));
  const connect = (reader: Reader): void => {
    if (reader.client.lastEventId === undefined) reader.since = schedule.step;
    reader.client.connect(reader.open(schedule.pick(processes)!.hub));
  };

  const failOver = async (): Promise<void> => {
    const count = 1 + schedule.below(3);
    const alive = published.filter(({ isLost }) => !isLost);
    for (const event of alive.slice(-count)) event.isLost = true;
    shared.pass(50);
    shared.failOver(count);
    for (const { client } of readers) if (client.isConnected) client.drop();
    processes = [await startProcess(), await startProcess()];
  };

  const act = async (action: Action): Promise<void> => {
    const reader = schedule.pick(readers)!;
    const { client } = reader;
    if (action === 'publish') publish();
    if (action === 'goOn') schedule.release();
    if (action === 'arrive') {
      // Several in one turn of the event loop reach a direct reader as one.
      const { log } = schedule.pick(processes)!;
      for (let left = 1 + schedule.below(6); left > 0 && log.arrive(); left--);
    }
    if (action === 'receive') client.receive(1 + schedule.below(3));
    if (action === 'keepAlive') client.keepAlive();
    if (action === 'say') client.say();
    if (action === 'readSlowly') client.readSlowly();
    if (action === 'readAgain') client.readAgain();
    if (action === 'drop' && client.isConnected) client.drop();
    if (action === 'return' && !client.isConnected && !client.hasEnded) connect(reader);
    if (action === 'failOver') await failOver();
    if (DISTURBANCES.has(action)) await shared.disturb(action as Disturbance);
  };
  const actions = Object.entries(options.often) as [Action, number][];

  for (; schedule.step < options.steps; schedule.step++) {
    await act(schedule.weighted(actions));
    // Some things happen in one turn.
    if (schedule.below(3) > 0) await turn();
  }
  // Everybody comes back and reads all there is.
  await shared.settled();
  for (let quiet = 0; quiet < 12; schedule.step++) {
    if (schedule.step > options.steps + MAX_STEPS_TO_END)
      throw new Error(`Seed ${seed}: it never comes to rest`);
    let isBusy = false;
    for (const reader of readers) {
      const { client } = reader;
      if (!client.isConnected && !client.hasEnded) connect(reader);
      client.readAgain();
      isBusy = client.receive(99) || isBusy;
    }
    for (const { log } of processes) while (log.arrive()) isBusy = true;
    while (schedule.release()) isBusy = true;
    await shared.settled();
    quiet = isBusy ? 0 : quiet + 1;
    await turn();
  }
  const findings = judge(readers, published, options);
  for (const { client } of readers) await client.leave();
  for (const { hub } of processes) await hub.close();
  await shared.close();
  if (failures.length > 0) throw failures[0];
  return findings;
}

const DISTURBANCES = new Set<Action>([
  'cut',
  'loseNotification',
  'loseEverything',
  'backUp',
  'goBack',
  'goBackInPlace',
]);

const isEnd = ({ type, isLost }: Published): boolean => type === 'end' && !isLost;

/** Far more than any run takes that ends. */
const MAX_STEPS_TO_END = 10_000;

function makeReader(n: number, schedule: Schedule, step: () => number): Reader {
  const rooms = [
    ...new Set(Array.from({ length: 1 + schedule.below(5) }, () => schedule.pick(ROOMS)!)),
  ];
  // Decoding what is compressed takes memory beside the heap, and with it time.
  const client = new ModelClient(step, schedule.below(30) === 0);
  const isEven = (uid: number): boolean => uid % 2 === 0;
  const all = (): boolean => true;
  const kinds: (Pick<Reader, 'open' | 'wants'> & Partial<Reader>)[] = [
    { open: (hub) => hub.stream(rooms), wants: all },
    { open: (hub) => hub.stream(rooms, { types: ['even'] }), wants: isEven },
    {
      open: (hub) => hub.stream(rooms, { filter: ({ data }) => isEven(Number(data)) }),
      wants: isEven,
    },
    {
      open: (hub) => hub.stream(rooms).pipe(filter(({ data }) => isEven(Number(data)))),
      wants: isEven,
    },
    {
      // An operator that holds events back for as long as the schedule wants, in order.
      open: (hub) =>
        hub.stream(rooms).pipe(concatMap(async (event) => (await schedule.pause(), event))),
      wants: all,
    },
    { open: (hub) => hub.stream(rooms, { onGap: 'rest' }), wants: all, wantsRest: true },
    { rooms: [JOB], open: (hub) => hub.stream(JOB, { until: ['end'] }), wants: all },
  ];
  const { open, ...kind } = kinds[n % kinds.length]!;
  // Each kind is read directly, and through an operator, which the events reach one by one.
  const isDirect = schedule.below(2) === 0;
  const opened = (hub: Hub): Observable<unknown> => (isDirect ? open(hub) : open(hub).pipe(tap()));
  return { client, rooms, since: 0, ...kind, open: opened };
}

/** The oracle: what every client should have been told, from what was published alone. */
function judge(
  readers: readonly Reader[],
  published: readonly Published[],
  { maxEvents, often }: ModelOptions,
): Findings {
  const { goBack = 0, goBackInPlace = 0 } = often;
  const keepsEnds = often.loseEverything + goBack + goBackInPlace === 0;
  const isAllKept = maxEvents > published.length && often.failOver === 0 && keepsEnds;
  const needless: string[] = [];
  const missed: string[] = [];
  const doubled: string[] = [];
  const inverted: string[] = [];
  const endless: string[] = [];
  const withheld: string[] = [];
  // Where streams are told of gaps while they are open, nothing is replayed.
  const onlyOnReturn = often.cut + often.loseNotification + often.loseEverything === 0;
  let gaps = 0;
  let ends = 0;
  for (const [n, { client, rooms, wants, since, wantsRest = false }] of readers.entries()) {
    const { items } = client;
    const { step: endedAt = Infinity } = items.find(({ kind }) => kind === 'end') ?? {};
    const got = new Map<number, number>();
    let last = -1;
    for (const [index, item] of items.entries()) {
      if (item.kind !== 'event') continue;
      if (got.has(item.uid)) doubled.push(`client ${n} got event ${item.uid} twice`);
      if (item.uid < last) inverted.push(`client ${n} got event ${item.uid} after ${last}`);
      last = Math.max(last, item.uid);
      got.set(item.uid, index);
    }
    const owed = published.filter(
      ({ step, uid, isLost }) => step > since && step <= endedAt && wants(uid) && !isLost,
    );
    for (const event of owed) {
      if (got.has(event.uid)) continue;
      for (const room of event.rooms) {
        // Its job ended before a process that has seen more knew of the loss: nobody can tell it.
        if (client.hasEnded && goBackInPlace > 0) continue;
        if (rooms.includes(room) && !wasTold(items, published, event, room, goBackInPlace > 0)) {
          missed.push(`client ${n} was not told that ${room} lost event ${event.uid}`);
        }
        if (
          wantsRest &&
          onlyOnReturn &&
          rooms.includes(room) &&
          isStillKept(items, published, event, room, maxEvents)
        ) {
          withheld.push(`client ${n} did not get event ${event.uid}, which ${room} kept`);
        }
      }
    }
    if (client.hasEnded) {
      ends++;
      const isOver = published.some(({ type, step }) => type === 'end' && step <= endedAt);
      if (!isOver) endless.push(`client ${n} was told of an end before there was one`);
    } else {
      if (endedAt < Infinity) endless.push(`client ${n} got something after the end`);
      const isOver = rooms.includes(JOB) && published.some(isEnd) && keepsEnds;
      if (isOver) endless.push(`client ${n} was not told that the job is over`);
    }
    for (const item of items) {
      if (item.kind !== 'gap') continue;
      gaps++;
      if (isAllKept) needless.push(`client ${n}: ${item.rooms.join()}`);
    }
  }
  return {
    missed,
    doubled,
    inverted,
    needless,
    endless,
    withheld,
    gaps,
    ends,
    events: published.length,
  };
}

/**
 * Before the room's next event, and not before the event was there. `mayBeLate`: a store that was
 * put back in place is known only to a process that has seen more of it, so others may hand on what
 * came after.
 */
function wasTold(
  items: readonly Item[],
  published: readonly Published[],
  event: Published,
  room: string,
  mayBeLate: boolean,
): boolean {
  for (const item of items) {
    if (item.kind === 'event') {
      if (mayBeLate) continue;
      const isLater = item.uid > event.uid && published[item.uid]!.rooms.includes(room);
      if (isLater) return false;
    } else if (item.kind === 'gap' && item.step >= event.step && item.rooms.includes(room)) {
      return true;
    }
  }
  return false;
}

/**
 * Whether fewer events came to the room behind it than it keeps, whenever a gap was told because it
 * had let go of some.
 */
function isStillKept(
  items: readonly Item[],
  published: readonly Published[],
  event: Published,
  room: string,
  maxEvents: number,
): boolean {
  const after = published.filter(({ uid, rooms }) => uid > event.uid && rooms.includes(room));
  return items
    .filter((item) => item.kind === 'gap')
    .filter((gap) => gap.step >= event.step && gap.rooms.includes(room))
    .every(
      ({ step, reason }) =>
        reason === 'trimmed' && after.filter((later) => later.step <= step).length < maxEvents,
    );
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
