// How many events per second one process publishes, with 64 awaited at a time and no pipeline.
//
// Each has a Redis of its own (core 0), whose log has one room that is full, so that each publish
// also takes one event off: `broadcaster.to().emit()` in an app (core 1), which as always hears
// what it publishes; `redis-benchmark` with 64 clients and the very script, keys and arguments that
// the app sends; and a loop of `ioredis` with the same, 64 at a time on one connection, alone and
// with a connection that hears what is published, as an app has. Taking turns; the others are idle.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PUBLISH } from '../../dist/lib/redis/scripts.js';
import { goal, race } from '../race.mjs';
import { hasRedisBenchmark, pinned } from '../servers/redis.mjs';
import { tableOf, withProcesses } from './processes.mjs';

const ROUNDS = 7;
const EVENTS = 30_000;
const WINDOW = 64;
const TOOL = 'redis-benchmark -c 64';
const run = promisify(execFile);

export async function publishing() {
  const hasTool = hasRedisBenchmark();
  if (!hasTool)
    console.log('redis-benchmark is not here (Debian: redis-tools): the loop is the base');
  const rounds = await withProcesses(async ({ redis, app, bare }) => {
    const own = await redis();
    const ours = await app(1, { url: own.url, isRecording: true });
    await ours.ask('publishAwaited', { events: 2_000, window: WINDOW });
    const script = (await ours.ask('script')).map(String);
    if (script[0] !== PUBLISH.sha) throw new Error('the last script was no publish');
    const withScript = async () => {
      const server = await redis();
      await server.client.script('LOAD', PUBLISH.lua);
      return server;
    };
    const loop = async (name, listens) => {
      const server = await withScript();
      const child = await bare(1, { url: server.url, channel: channelOf(script), listens });
      const events = EVENTS;
      return {
        name,
        server,
        child,
        work: () => child.ask('repeat', { script, events, window: WINDOW }),
      };
    };
    const all = [
      {
        name: 'ours',
        server: own,
        child: ours,
        work: () => ours.ask('publishAwaited', { events: EVENTS, window: WINDOW }),
      },
      await loop('ioredis', false),
      await loop('ioredis, hears it', true),
    ];
    if (hasTool) {
      const server = await withScript();
      all.unshift({ name: TOOL, server, work: () => tool(server.port, script) });
    }
    for (const each of all) await turn(each);
    return race(all, ROUNDS, turn);
  });
  const base = hasTool ? TOOL : 'ioredis';
  const table = tableOf(rounds, base, {
    title: `× ${hasTool ? 'redis-benchmark' : 'ioredis'}`,
    ratio: ({ ms }) => EVENTS / ms,
    figures: {
      'publishes/s': ({ ms }) => (1000 * EVENTS) / ms,
      'CPU of Redis, µs': ({ redisCpu }) => redisCpu,
      'CPU of the process, µs': ({ cpu }) => cpu,
    },
  });
  const [ratio] = Object.values(table.ours);
  return {
    tables: { [`publishes, ${WINDOW} at a time`]: table },
    goals: [goal(`${base} ÷ publishes per second`, 1 / ratio, 2)],
  };
}

async function turn({ name, server, child, work }) {
  const cpuOf = async () => [await server.cpu(), await child?.cpu()];
  const published = async () => Number((await server.commands()).xadd ?? 0);
  const [before, from] = [await cpuOf(), await published()];
  const ms = await work();
  const after = await cpuOf();
  const count = (await published()) - from;
  if (count !== EVENTS) throw new Error(`${name}: ${count} of ${EVENTS} events`);
  const [redisCpu, cpu] = after.map((value, n) => (value - before[n]) / EVENTS);
  return { ms, redisCpu, cpu: child && cpu };
}

async function tool(port, script) {
  const [sha, keys, ...rest] = script;
  const args = ['-p', String(port), '-c', String(WINDOW), '-n', String(EVENTS), '-q'];
  const command = ['redis-benchmark', ...args, 'EVALSHA', sha, keys, ...rest];
  const [file, ...all] = pinned(1, command);
  const { stdout } = await run(file, all);
  const perSecond = Number([...stdout.matchAll(/([\d.]+) requests per second/g)].at(-1)[1]);
  return (1000 * EVENTS) / perSecond;
}

/** After the keys: an epoch, the event, and the channel. */
const channelOf = ([, keys, ...rest]) => rest[Number(keys) + 2];
