// A hundred thousand connections come and go: whether anything of them stays.
//
// Measured: heap in use, after garbage collection, after 10 000 streams were opened and left and
// after 100 000 more; half of the clients say goodbye, half are cut off. Then nothing may be open.
// Beside it raw node:http. Not shown: how many can be open at once (see memory.bench.mjs).
import { setTimeout as sleep } from 'node:timers/promises';
import { contestant, goal, report, withContestants } from './race.mjs';

const COUNT = 100_000;
const table = {};
for (const name of ['raw', 'ours']) {
  await withContestants([contestant(name)], async ([each]) => {
    const run = async (count) => {
      const ms = await each.load('churn', { port: each.port, count, path: '/events' });
      // The server hears of the last goodbyes.
      await sleep(500);
      return { ms, heap: (await each.ask('memory')).heapUsed };
    };
    const before = await run(COUNT / 10);
    const after = await run(COUNT);
    table[name] = {
      'heap after ÷ before': after.heap / before.heap,
      'heap before MiB': before.heap / 2 ** 20,
      'heap after MiB': after.heap / 2 ** 20,
      'connections/s': COUNT / (after.ms / 1000),
      'still open': name === 'ours' ? await each.ask('ask', 'open') : undefined,
    };
  });
}
report('churn', { [`${COUNT} connections come and go`]: table }, [
  goal('heap, change in %', 100 * Math.abs(table.ours['heap after ÷ before'] - 1), 2),
  goal('still open', table.ours['still open'], 0),
]);
