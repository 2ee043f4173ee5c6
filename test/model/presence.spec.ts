// Who is there, by random schedules: connections of members come and go at several processes, which
// die and are paused, on a log that is slow and fails. At the end, everybody is right.
// PRESENCE_SEED=… repeats one run, PRESENCE_RUNS=… makes more of them.
import { describe, expect, it } from '@jest/globals';
import { World } from './presence-world.js';

const SEED = process.env['PRESENCE_SEED'];
const RUNS = Number(process.env['PRESENCE_RUNS'] ?? 60);

const ROOMS = ['lobby', 'hall'];
const IDS = ['ann', 'bob', 'cleo', 'dan'];
const ANCHOR = 'lobby anchor';
/** A lease, a grace, and what is slow about removing what a process held. */
const QUIET_MS = 60_000;

interface Faults {
  readonly deaths: boolean;
  readonly pauses: boolean;
  readonly failures: number;
}

/**
 * Once wrong: a process wrote a member, or its name, after others had taken it for dead, and died.
 */
const KNOWN = [279_028_293, 80_760_861, 1_188_107_486];
const KINDS: readonly (readonly [string, Faults])[] = [
  ['nothing', { deaths: false, pauses: false, failures: 0 }],
  ['processes that die', { deaths: true, pauses: false, failures: 0 }],
  ['processes that are paused', { deaths: false, pauses: true, failures: 0 }],
  ['a log that fails', { deaths: false, pauses: false, failures: 0.15 }],
  ['all of it', { deaths: true, pauses: true, failures: 0.1 }],
];

/** One thing that happens. The first process is never hurt. */
async function act(world: World, { deaths, pauses }: Faults): Promise<void> {
  const { schedule } = world;
  const running = world.alive.filter(({ state }) => state === 'running');
  const one = schedule.pick(running)!;
  const others = running.slice(1);
  const room = schedule.pick(ROOMS)!;
  const graceMs = schedule.pick([0, 500, 3_000, 12_000])!;
  const what = schedule.weighted([
    ['connect', 10],
    ['disconnect', 9],
    ['watch', 2],
    ['die', deaths && others.length > 0 ? 1 : 0],
    ['pause', pauses && others.length > 0 ? 1.5 : 0],
    ['start', world.alive.length < 4 ? 2 : 0],
    ['wait', 4],
  ] as const);
  if (what === 'connect') one.connect(room, schedule.pick(IDS)!, graceMs);
  else if (what === 'watch') one.watch(room);
  else if (what === 'start') (await world.start()).listen();
  else if (what === 'die') schedule.pick(others)!.die();
  else if (what === 'wait') await world.pass(schedule.below(20_000));
  else if (what === 'disconnect') {
    const from = one === world.processes[0] ? 1 : 0;
    if (one.connections.length > from) {
      one.disconnect(from + schedule.below(one.connections.length - from));
    }
  } else {
    const paused = schedule.pick(others)!;
    paused.pause();
    const ms = schedule.below(40_000);
    world.after(ms, () => {
      if (paused.state === 'paused') void paused.resume();
    });
  }
  await world.pass(schedule.below(schedule.pick([10, 300, 3_000])!));
}

async function run(seed: number, faults: Faults): Promise<World> {
  const world = new World(seed);
  await world.begin();
  const first = await world.start();
  first.listen();
  first.connect('lobby', 'anchor', 0);
  for (const room of ROOMS) first.watch(room);
  world.failures = faults.failures;
  const steps = 40 + world.schedule.below(60);
  for (let step = 0; step < steps; step++) await act(world, faults);
  world.failures = 0;
  for (const one of world.alive) if (one.state === 'paused') await one.resume();
  for (const one of world.alive) for (const room of ROOMS) one.watch(room);
  await world.pass(QUIET_MS);
  return world;
}

async function check(world: World, faults: Faults): Promise<void> {
  const truth = new Set(
    world.alive.flatMap(({ connections }) => connections.map(({ key }) => key)),
  );
  const idsIn = (room: string): string[] =>
    [...truth]
      .filter((key) => key.startsWith(`${room} `))
      .map((key) => key.slice(room.length + 1))
      .sort();
  expect([...world.present].sort()).toEqual([...truth].sort());
  for (const room of ROOMS) {
    for (const one of world.alive) {
      expect([...(one.watchers.get(room)?.members.keys() ?? [])].sort()).toEqual(idsIn(room));
    }
    const listed = await world.schedule.pick(world.alive)!.members(room);
    expect(listed.map(({ id }) => id).sort()).toEqual(idsIn(room));
    expect(listed).toEqual(
      listed.map(({ id }) => ({ id, data: { name: id }, since: expect.any(Number) })),
    );
  }
  // Each change once, where it was made.
  for (const one of world.processes) {
    const made = world.applied.filter(({ by }) => by === one).map(({ what }) => what);
    // What a process has made at its very end, nobody tells.
    const untold = one.state === 'dead' ? [] : rest(made, one.emitted);
    expect({ untold, invented: rest(one.emitted, made) }).toEqual({ untold: [], invented: [] });
  }
  expect(world.applied.filter(({ by }) => by === undefined)).toEqual([]);
  // A log that fails ends streams.
  const anchored = world.applied.filter(({ what }) => what.endsWith(ANCHOR));
  expect(faults.failures === 0 ? anchored.slice(1) : []).toEqual([]);
  await checkLeft(world);
}

/** Nothing is left of processes without members. */
async function checkLeft(world: World): Promise<void> {
  const { events } = (await world.log.entries('sse:processes'))!;
  const keys = events.map(({ message }) => (message.data as { key: string }).key);
  const holders = world.alive.filter(({ connections }) => connections.length > 0).length;
  expect(keys.filter((key) => key.startsWith('live:'))).toHaveLength(holders);
  expect(keys.filter((key) => key.startsWith('known:'))).toHaveLength(holders);
}

/** What is in one list more often than in the other. */
function rest(some: readonly string[], all: readonly string[]): string[] {
  const left = [...all];
  return some.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

describe.each(KINDS)('the members of rooms, with %s', (_title, faults) => {
  it('are right in the end, and each join and leave is told once', async () => {
    const random = Array.from({ length: RUNS }, () => Math.floor(Math.random() * 2 ** 31));
    for (const seed of SEED === undefined ? [...KNOWN, ...random] : [Number(SEED)]) {
      let world: World;
      try {
        world = await run(seed, faults);
        await check(world, faults);
      } catch (error) {
        throw new Error(`PRESENCE_SEED=${seed}`, { cause: error });
      }
      await world.close();
    }
  }, 120_000);
});
