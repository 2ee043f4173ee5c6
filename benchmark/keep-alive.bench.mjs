// What it costs to keep ten thousand idle connections alive.
//
// Measured: CPU time of servers with 10 000 idle streams and a comment to each every 15 seconds,
// over two such intervals; all at once, as each is idle most of the time. `raw` sends none and says
// what idling costs. The clients count the bytes, which shows that comments came. Nest's `@Sse()`
// has no keep-alive. Not shown: proxies.
import { setTimeout as sleep } from 'node:timers/promises';
import { contestant, goal, readers, report, withContestants } from './race.mjs';

const count = readers(10_000);
const SECONDS = 30;
const options = { keepAliveMs: 15_000 };

const table = await withContestants(
  ['raw', 'ours', 'better-sse', 'fastify-sse'].map((name) => contestant(name, { options })),
  async (all) => {
    for (const each of all) await each.open({ count });
    for (const each of all) await each.load('reset');
    const before = await Promise.all(all.map((each) => each.ask('cpu')));
    await sleep(1000 * SECONDS);
    const after = await Promise.all(all.map((each) => each.ask('cpu')));
    const rows = {};
    for (const [index, { name, load }] of all.entries()) {
      const { bytes } = await load('expect', { events: 0 });
      rows[name] = {
        '% of a core': (after[index] - before[index]) / 1e4 / SECONDS,
        'bytes per reader': bytes / count,
      };
    }
    return rows;
  },
);
report('keep-alive', { [`${count} idle connections, a comment every 15 s`]: table }, [
  goal('% of a core', table.ours['% of a core'], 2),
]);
