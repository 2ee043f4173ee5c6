// Runs by random schedules: processes that work on them die, stall and come back at every step, on
// a log that is slow, fails and loses its last writes, while readers flap between all processes.
// Each run has one producer whose messages count, all of its readers get the same messages, in
// order and once, and nobody waits for ever.
// RUNS_SEED=… repeats one schedule, RUNS_RUNS=… makes more of them.
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { fakeConnection } from 'nestjs-eventstream/testing';
import type { RunStatus } from 'nestjs-eventstream/runs';
import { Runs } from '../../lib/runs/runs.js';
import { World, type Process } from './presence-world.js';

Logger.overrideLogger(['error']);

const SEED = process.env['RUNS_SEED'];
const COUNT = Number(process.env['RUNS_RUNS'] ?? 60);
/** A lease, the pause before the runs of a dead process are ended, and calls that are repeated. */
const QUIET_MS = 90_000;
const KEEP_MS = 100_000_000;

interface Faults {
  readonly deaths: boolean;
  readonly pauses: boolean;
  readonly failures: number;
  readonly failOvers: boolean;
  readonly maxEvents: number;
}

const NONE = { deaths: false, pauses: false, failures: 0, failOvers: false, maxEvents: 200 };
/** What was wrong once, by the faults. */
const KNOWN: Readonly<Record<string, readonly number[]>> = {
  // A reader is ahead of the process that it comes to.
  'a history of three events': [773_896_761],
  'processes that die': [280_414_379],
  'a log that fails': [1_440_612_185],
  // A run ended while its process took it over again. A process ended a run again that others had.
  // Pages were read while only some had been written again. Pages of a process that lived were
  // overwritten with what others had of the run. A process whose lease the log had lost was taken
  // for dead. A process wrote an end again, twice at the same time.
  'a log that loses its last writes': [
    131_874_162, 1_781_762_300, 108_386_384, 863_789_384, 682_168_239, 1_424_240_148, 1_800_180_344,
  ],
  // News of the end overtook a read of the entry. A reader was ahead of the process that it came
  // to. A read was ahead of the news of the end. A process died while it ended a run of another
  // one. A reader came before its process knew that it had begun the run. A process began a run
  // after others had taken it for dead, and died.
  'all but lost writes': [
    1_936_380_544, 1_842_425_352, 1_323_514_035, 1_375_049_253, 860_901_355, 800_862_465,
  ],
};
const KINDS: readonly (readonly [string, Faults])[] = [
  ['nothing', NONE],
  ['a history of three events', { ...NONE, maxEvents: 3 }],
  ['processes that die', { ...NONE, deaths: true }],
  ['processes that stall', { ...NONE, pauses: true, maxEvents: 80 }],
  ['a log that fails', { ...NONE, failures: 0.15 }],
  ['a log that loses its last writes', { ...NONE, failOvers: true }],
  ['all but lost writes', { ...NONE, deaths: true, pauses: true, failures: 0.1, maxEvents: 80 }],
];

interface Token {
  /** The number of the producer that made it. */
  readonly by: number;
  readonly n: number;
}

/** A reader that reads a run to its end, over any number of processes. */
class Reader {
  readonly got: Token[] = [];
  readonly gaps: string[] = [];
  end: string | undefined;
  private lastEventId: string | undefined;
  private leave: (() => void) | undefined;
  at: Process | undefined;

  constructor(readonly id: string) {}

  async read(at: Process, runs: Runs): Promise<void> {
    this.drop();
    const connection = fakeConnection(
      this.lastEventId === undefined ? {} : { lastEventId: this.lastEventId },
    );
    const iterator = runs.follow(this.id, { connection })[Symbol.asyncIterator]();
    let isHere = true;
    this.at = at;
    this.leave = () => {
      isHere = false;
      void iterator.return?.();
    };
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (!isHere || at.state === 'dead') return;
        for (const { type, data } of connection.messages.splice(0)) {
          if (type === 'sse-gap') this.gaps.push(JSON.stringify(data));
        }
        if (done === true) break;
        const { type, data, id } = value as { type?: string; data: unknown; id?: string };
        if (type === 'run-end') this.end = (data as { state: string }).state;
        else this.got.push(data as Token);
        this.lastEventId = id ?? this.lastEventId;
      }
    } catch {
      // There is no run yet, or the log is away: it comes back.
    }
    if (isHere) this.at = undefined;
  }

  drop(): void {
    this.leave?.();
    this.leave = undefined;
    this.at = undefined;
  }
}

class Model {
  readonly runs = new Map<Process, Runs>();
  readonly readers: Reader[] = [];
  /** The producers of each run, by id. */
  readonly producers = new Map<string, { by: number; made: number; isOver: boolean }[]>();
  private lastProducer = 0;

  constructor(
    readonly world: World,
    readonly ids: readonly string[],
  ) {}

  async startProcess(): Promise<void> {
    const process = await this.world.start();
    this.runs.set(process, new Runs(process.hub, { keepMs: KEEP_MS }, process.time));
  }

  start(at: Process, id: string): void {
    const { world } = this;
    const total = world.schedule.below(40);
    const pace = world.schedule.pick([5, 200, 2_000])!;
    const producer = (signal: AbortSignal): AsyncIterable<unknown> => {
      const by = this.lastProducer++;
      const own = { by, made: 0, isOver: false };
      this.producers.set(id, [...(this.producers.get(id) ?? []), own]);
      signal.addEventListener('abort', () => (own.isOver = true), { once: true });
      return (async function* () {
        for (let n = 0; n < total; n++) {
          await new Promise<void>((resolve) => {
            at.time.after(1 + world.schedule.below(pace), resolve);
          });
          own.made++;
          yield { data: { by, n } };
        }
      })();
    };
    void this.runs
      .get(at)
      ?.start(id, producer)
      .catch(() => {});
  }
}

async function act(model: Model, { deaths, pauses, failOvers }: Faults): Promise<void> {
  const { world, readers, runs } = model;
  const { schedule } = world;
  const running = world.alive.filter(({ state }) => state === 'running');
  const one = schedule.pick(running)!;
  const others = running.slice(1);
  const id = schedule.pick(model.ids)!;
  const what = schedule.weighted([
    ['start', 4],
    ['read', 8],
    ['drop', 4],
    ['stop', 0.7],
    ['die', deaths && others.length > 0 ? 1 : 0],
    ['pause', pauses && others.length > 0 ? 1.5 : 0],
    ['come', world.alive.length < 4 ? 2 : 0],
    ['fail over', failOvers ? 0.7 : 0],
    ['wait', 4],
  ] as const);
  if (what === 'start') model.start(one, id);
  else if (what === 'read') {
    const reader = schedule.pick(readers)!;
    if (reader.end === undefined) void reader.read(one, runs.get(one)!);
  } else if (what === 'drop') schedule.pick(readers)!.drop();
  else if (what === 'stop')
    void runs
      .get(one)!
      .stop(id)
      .catch(() => {});
  else if (what === 'come') await model.startProcess();
  else if (what === 'fail over') await world.failOver(schedule.below(3_000));
  else if (what === 'wait') await world.pass(schedule.below(20_000));
  else if (what === 'die') {
    const dead = schedule.pick(others)!;
    dead.die();
    for (const reader of readers) if (reader.at === dead) reader.drop();
  } else {
    const paused = schedule.pick(others)!;
    paused.pause();
    world.after(schedule.below(40_000), () => {
      if (paused.state === 'paused') void paused.resume();
    });
  }
  await world.pass(schedule.below(schedule.pick([10, 300, 3_000])!));
}

async function run(seed: number, faults: Faults): Promise<Model> {
  const world = new World(seed, {}, faults.maxEvents);
  await world.begin();
  const model = new Model(world, ['a', 'b', 'c']);
  await model.startProcess();
  await model.startProcess();
  for (const id of model.ids) for (let n = 0; n < 3; n++) model.readers.push(new Reader(id));
  world.failures = faults.failures;
  const steps = 40 + world.schedule.below(60);
  for (let step = 0; step < steps; step++) await act(model, faults);
  world.failures = 0;
  for (const one of world.alive) if (one.state === 'paused') await one.resume();
  // Whoever has not started yet.
  for (const id of model.ids) model.start(world.alive[0]!, id);
  await world.pass(QUIET_MS);
  for (const reader of model.readers) {
    const at = world.schedule.pick(world.alive)!;
    if (reader.end === undefined) void reader.read(at, model.runs.get(at)!);
  }
  // And one more of each, which is new.
  for (const id of model.ids) {
    const reader = new Reader(id);
    model.readers.push(reader);
    const at = world.schedule.pick(world.alive)!;
    void reader.read(at, model.runs.get(at)!);
  }
  await world.pass(QUIET_MS);
  return model;
}

async function statusesOf({ world, runs, ids }: Model): Promise<(RunStatus | undefined)[]> {
  const at = world.alive[0]!;
  const asked = Promise.all(ids.map((id) => runs.get(at)!.status(id)));
  await world.pass(4_000);
  return asked;
}

async function check(model: Model, faults: Faults): Promise<void> {
  const statuses = await statusesOf(model);
  for (const [at, id] of model.ids.entries()) {
    const all = model.readers.filter((reader) => reader.id === id);
    const newest = all.at(-1)!;
    // A process was taken for dead, and the log has lost that.
    const readers = all.filter((reader) => !faults.failOvers || !isUnmade(reader, newest));
    const state = statuses[at]?.state;
    const whole = readers.at(-1)!;
    // The log has lost that run from its very beginning, and it was started again.
    const isBefore = (reader: Reader): boolean => faults.failOvers && isOfOther(reader, whole);
    const ofRun = readers.filter((reader) => !isBefore(reader));
    const producers = new Set(whole.got.map(({ by }) => by));
    const found = {
      id,
      // Nobody waits for ever, and all hear of the same end.
      ends: [...new Set(ofRun.map(({ end }) => end))],
      producers: producers.size <= 1,
      // In order, from the first one.
      numbers: whole.got.map(({ n }) => n),
      // One that has gaps was told that it has lost something.
      others: ofRun.map(({ gaps, got }) => (gaps.length > 0 ? whole.got : got)),
      gaps: faults.failOvers ? [] : readers.flatMap(({ gaps }) => gaps),
    };
    expect(found).toEqual({
      id,
      ends: [state],
      producers: true,
      numbers: whole.got.map((_token, n) => n),
      others: ofRun.map(() => whole.got),
      gaps: [],
    });
    const made = model.producers.get(id)?.find(({ by }) => producers.has(by))?.made;
    const isWhole = state !== 'finished' || made === undefined || made === whole.got.length;
    expect({ id, isWhole }).toEqual({ id, isWhole: true });
    // Nobody goes on for a run that has ended.
    const working = model.producers.get(id)?.filter(({ isOver }) => !isOver) ?? [];
    expect({ id, working: working.length <= (faults.deaths ? Infinity : 0) }).toEqual({
      id,
      working: true,
    });
  }
}

/** Whether a reader was told that the run was lost, which the newest one does not know. */
function isUnmade({ end, got }: Reader, newest: Reader): boolean {
  if (end !== 'lost' || newest.end === 'lost') return false;
  return got.every(({ by, n }, at) => newest.got[at]?.by === by && newest.got[at].n === n);
}

/** Whether a reader has read another run with this id, in order and from its beginning. */
function isOfOther({ got }: Reader, whole: Reader): boolean {
  const by = got[0]?.by;
  if (by === undefined || by === whole.got[0]?.by) return false;
  return got.every((token, n) => token.by === by && token.n === n);
}

describe.each(KINDS)('runs, with %s', (title, faults) => {
  it('have one producer, and readers who all get the same', async () => {
    const random = Array.from({ length: COUNT }, () => Math.floor(Math.random() * 2 ** 31));
    const seeds = SEED === undefined ? [...(KNOWN[title] ?? []), ...random] : [Number(SEED)];
    let tokens = 0;
    for (const seed of seeds) {
      let model: Model;
      try {
        model = await run(seed, faults);
        await check(model, faults);
      } catch (error) {
        throw new Error(`RUNS_SEED=${seed}`, { cause: error });
      }
      tokens += model.readers.reduce((sum, { got }) => sum + got.length, 0);
      await model.world.close();
    }
    expect(tokens).toBeGreaterThan(seeds.length * 10);
  }, 300_000);
});
