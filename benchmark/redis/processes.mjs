// What the benchmarks of the log on Redis have in common. Two cores: Redis and what reads from it
// are on core 0, what publishes and the clients on core 1, where a benchmark does not say
// otherwise.
import { join } from 'node:path';
import { startRedis } from '../servers/redis.mjs';
import { start } from '../rpc.mjs';
import { median } from '../race.mjs';

const folder = join(import.meta.dirname, '..');
export const now = () => performance.timeOrigin + performance.now();

/** Gives `use` what starts servers and processes, and stops all of them in any case. */
export async function withProcesses(use) {
  const running = [];
  const kept = async (starting) => {
    const each = await starting;
    running.push(each);
    return each;
  };
  const server = async (name, core, options, flags = []) => {
    const main = join(folder, 'servers', 'main.mjs');
    const args = [name, JSON.stringify(options)];
    const child = await kept(start(main, { core, args, flags: ['--expose-gc', ...flags] }));
    return {
      ...child,
      port: await child.call('port'),
      cpu: () => child.call('cpu'),
      ask: (question, ...parameters) => child.call('ask', question, ...parameters),
    };
  };
  try {
    return await use({
      redis: (options) => kept(startRedis(options)),
      /** This library in an app. */
      app: (core, options, flags) => server('ours-redis', core, options, flags),
      /** `ioredis` and nothing else. */
      bare: (core, options) => server('pubsub', core, options),
      load: (core = 1) => kept(start(join(folder, 'load.mjs'), { core })),
      child: (file, core) => kept(start(join(import.meta.dirname, file), { core })),
    });
  } finally {
    // The last first: an app without its Redis would tell so.
    for (const each of running.reverse()) await each.stop();
  }
}

/**
 * Of the figures of each row of each round: the median, and of `ratio` the median of the ratios
 * within the rounds.
 */
export function tableOf(rounds, base, { ratio, title, figures }) {
  const rows = {};
  for (const name of Object.keys(rounds[0])) {
    // What a row does not have stays empty.
    const of = (value) => {
      const all = rounds.map((round) => value(round[name]));
      return all[0] === undefined ? undefined : median(all);
    };
    const ratios = rounds.map((round) => ratio(round[name]) / ratio(round[base]));
    rows[name] = { [title]: median(ratios) };
    for (const [figure, value] of Object.entries(figures)) rows[name][figure] = of(value);
  }
  return rows;
}

export const quantile = (sorted, q) => sorted[Math.floor(q * (sorted.length - 1))];
