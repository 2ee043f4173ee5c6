// What goes wrong. Each kind belongs to a track; the faults of one track never overlap, those of
// different tracks do.
import { setTimeout as sleep } from 'node:timers/promises';

const PREFIX = 'sse:{hub:}:';
const CHANNEL = `${PREFIX}events`;
/** By how much the clock of a new master is behind. */
const BEHIND_SECONDS = 20;

/** Ends processes for a moment. A log in memory goes with them. */
async function killApps(world, apps, random) {
  const kill = () => Promise.all(apps.map((app) => app.kill()));
  await (world.redis === undefined ? losing(world, kill) : kill());
  await sleep(random.int(0, 1_500));
  await Promise.all(apps.map((app) => app.start()));
}

/**
 * Often the processes go with it, as when a machine fails; a new one knows nothing of what was
 * before.
 */
async function withApps({ apps }, random, redisFault) {
  const gone = random.weighted([
    [4, []],
    [3, [random.pick(apps)]],
    [3, apps],
  ]);
  await Promise.all(gone.map((app) => app.kill()));
  await redisFault();
  await sleep(random.int(0, 500));
  await Promise.all(gone.map((app) => app.start()));
}

async function restart({ redis }, random, start) {
  await redis.kill();
  await sleep(random.int(0, 1_500));
  await start();
}

/** Acknowledged writes are gone; also keys of publishes that are tried again. */
async function losing({ oracle }, fault) {
  const from = Date.now();
  await fault();
  oracle.lostWrites(from, Date.now());
}

/** A replica that lacks the last writes takes over; its clock is behind by so many seconds. */
async function failOver(world, random, behindSeconds = 0) {
  const { redis, oracle } = world;
  const hasOwnClock = behindSeconds > 0 && redis.hasClocks;
  const standby = await redis.startReplica({ clockOffset: hasOwnClock ? -behindSeconds : 0 });
  await sleep(random.int(100, 1_000));
  const from = Date.now();
  standby.link.carries = { up: false, down: false };
  await sleep(random.int(50, 2_000));
  if (behindSeconds > 0 && !hasOwnClock) {
    // The old master gives positions as if its clock had been ahead.
    const ahead = (Date.now() + behindSeconds * 1000) * 1000;
    await redis.command('HSET', `${PREFIX}meta`, 'last', String(ahead));
    await sleep(random.int(50, 1_000));
  }
  await withApps(world, random, async () => {
    await redis.promote(standby);
    world.cutRedisLinks();
  });
  oracle.lostWrites(from, Date.now());
}

const garbageNotices = (epoch) => [
  'x',
  '',
  '\n',
  `n3 ${epoch}`,
  `n3 ${epoch} 9000000000000000 0 0\nnot json`,
  `n3 ${epoch} NaN NaN NaN\n[["r1"],"json"]\n`,
  `e3 ${epoch}\n{}`,
  `e3 ${epoch}\nnull`,
  `p3 ${epoch} -1`,
  `p3 ${epoch} 1e99`,
  `n3 ${epoch} 9000000000000000 8999999999999999 0\n[["r1"],"json"]`,
  '\u0000\u0001\u0002',
  `q ${epoch} 1 1 1\n[[],"json",0]\n`,
];

const REDIS = {
  kill: [6, (world, random) => restart(world, random, () => world.redis.restart())],
  empty: [
    0.5,
    (world, random) =>
      losing(world, () => restart(world, random, () => world.redis.restartEmpty())),
  ],
  snapshot: [
    2,
    async (world, random) => {
      await world.redis.takeSnapshot();
      await sleep(random.int(100, 3_000));
      await losing(world, () =>
        withApps(world, random, () =>
          restart(world, random, () => world.redis.restartFromSnapshot()),
        ),
      );
    },
  ],
  replica: [1.5, (world, random) => failOver(world, random)],
  'replica-behind': [1, (world, random) => failOver(world, random, BEHIND_SECONDS)],
  pause: [
    6,
    async ({ redis }, random) => {
      redis.signal('SIGSTOP');
      await sleep(random.int(100, 4_000));
      redis.signal('SIGCONT');
    },
  ],
  'cut-pubsub': [6, ({ redis }) => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')],
  'cut-all': [
    4,
    async ({ redis }) => {
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
  ],
  flush: [0.5, (world) => losing(world, () => world.redis.command('FLUSHALL'))],
  'lose-meta': [0.5, ({ redis }) => redis.command('DEL', `${PREFIX}meta`)],
  'lose-rooms': [0.5, ({ redis }) => redis.command('DEL', `${PREFIX}rooms`)],
  'lose-oldest': [0.5, ({ redis }) => redis.command('DEL', `${PREFIX}oldest`)],
  evict: [
    1,
    ({ redis, rooms }, random) =>
      redis.command('DEL', ...random.sample(rooms, 20).map((room) => `${PREFIX}room:${room}`)),
  ],
  'script-flush': [2, ({ redis }) => redis.command('SCRIPT', 'FLUSH')],
  'garbage-notice': [
    2,
    async ({ redis }, random) => {
      const epoch = (await redis.command('HGET', `${PREFIX}meta`, 'epoch')) ?? 'none';
      await redis.command('PUBLISH', CHANNEL, random.pick(garbageNotices(epoch)));
    },
  ],
  'garbage-entry': [
    1,
    ({ redis, rooms }, random) => {
      const fields = random.pick([
        ['x', 'y'],
        ['p', '0', 'e', 'not json'],
        ['p', 'x', 'e', '{}\n', 'z', ''],
      ]);
      return redis.command('XADD', `${PREFIX}room:${random.pick(rooms)}`, '*', ...fields);
    },
  ],
};

/** On one wire, of those to Redis or of those to clients. */
const LINK = {
  cut: [4, (link) => link.cut()],
  truncate: [3, (link) => link.truncate()],
  delay: [
    3,
    async (link, random) => {
      link.delayMs = random.int(1, 100);
      await sleep(random.int(500, 4_000));
      link.heal();
    },
  ],
  'half-open': [
    2,
    async (link, random) => {
      link.carries = { up: false, down: false };
      await sleep(random.int(200, 5_000));
      link.heal();
    },
  ],
  'one-way': [
    2,
    async (link, random) => {
      const up = random.chance(0.5);
      link.carries = { up, down: !up };
      await sleep(random.int(200, 5_000));
      link.heal();
    },
  ],
};

const linkFaults = (name, links) =>
  Object.entries(LINK).map(([kind, [weight, run]]) => [
    `${name}-${kind}`,
    { weight, run: (world, random) => run(random.pick(world[links]), random) },
  ]);
const redisFaults = Object.entries(REDIS).map(([kind, [weight, run]]) => [kind, { weight, run }]);

const APPS = [
  [
    'app-kill',
    { weight: 5, run: (world, random) => killApps(world, [random.pick(world.apps)], random) },
  ],
  ['stack-kill', { weight: 1, run: (world, random) => killApps(world, world.apps, random) }],
  [
    'app-pause',
    {
      weight: 2,
      async run({ apps }, random) {
        const app = random.pick(apps);
        app.signal('SIGSTOP');
        await sleep(random.int(100, 3_000));
        app.signal('SIGCONT');
      },
    },
  ],
];

/** Per track: how long at most between two faults, in milliseconds, and its kinds. */
export const TRACKS = {
  redis: { everyMs: 5_000, faults: new Map(redisFaults) },
  apps: { everyMs: 12_000, faults: new Map(APPS) },
  'redis-links': { everyMs: 6_000, faults: new Map(linkFaults('redis', 'redisLinks')) },
  'client-links': { everyMs: 2_000, faults: new Map(linkFaults('client', 'clientLinks')) },
};

export const KINDS = Object.values(TRACKS).flatMap(({ faults }) => [...faults.keys()]);
