// A thousand readers, and twenty thousand who are refused because all places are taken.
//
// Measured: the latency from publishing to arrival at the readers, an event every 100 ms, first in
// quiet and then while 20 000 connects are answered 200 and `retry:`, 64 of them under way at any
// time; the median over rounds of the ratio of the p99s. Heap in use, after garbage collection,
// before the first flood that counts and after the last. A round only counts if every reader got
// every event once, and only the readers are open after it. Beside it: the same readers while the
// same flood is answered by a Nest route that returns a word, which is what any request costs
// there, and by node:http alone. Not shown: clients that wait before they come back, as `retry:`
// asks them to. Both kinds of clients, each in a process of its own, share a core, so the readers'
// figures have some of what the flood costs its clients.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  alone,
  contestant,
  goal,
  LOAD_CORE,
  median,
  race,
  readers,
  report,
  withContestants,
} from './race.mjs';
import { start } from './rpc.mjs';

const count = readers(1_000);
const CONNECTS = 20_000;
const ROUNDS = 5;
const PATHS = { ours: '/events', 'a Nest route': '/ping', raw: '/events' };
/** What is kept of the events is full before the heap is looked at. */
const history = { maxEvents: 100 };
const options = { module: { limits: { maxConnections: count }, history } };

/** What the readers saw of the events that were published meanwhile. */
async function latency(each, publishAll) {
  await each.load('reset', { latencies: true });
  const published = await publishAll();
  const { isExact } = await each.load('expect', { events: published.length });
  if (!isExact) throw new Error('not all readers got all events');
  return { ...(await each.load('latencies', published)), events: published.length };
}

async function turn(each, flood) {
  const quiet = await latency(each, () => each.ask('publish', { turns: 30, everyMs: 100 }));
  let ms;
  const flooded = await latency(each, async () => {
    const published = [];
    const isOver = new AbortController();
    const over = flood(CONNECTS).finally(() => isOver.abort());
    while (!isOver.signal.aborted) {
      published.push(...(await each.ask('publish', { turns: 1, everyMs: 100 })));
    }
    ms = await over;
    return published;
  });
  const open = await each.ask('ask', 'open');
  if (open !== count) throw new Error(`${open} streams are open, and there is place for ${count}`);
  return { quiet, flooded, perSecond: CONNECTS / (ms / 1_000) };
}

const heapOf = async (each) => {
  // The server hears of the last goodbyes.
  await sleep(500);
  return (await each.ask('memory')).heapUsed;
};

const { rounds, heaps } = await withContestants(
  [
    contestant('ours', { options }),
    contestant('a Nest route', { server: 'ours', options }),
    contestant('raw', { options: { maxReaders: count } }),
  ],
  async (all) => {
    const crowd = await start(join(import.meta.dirname, 'load.mjs'), { core: LOAD_CORE });
    const oneTurn = alone(all, (each) =>
      turn(each, (connects) =>
        crowd.call('churn', { port: each.port, count: connects, path: PATHS[each.name] }),
      ),
    );
    try {
      const before = {};
      const after = {};
      for (const each of all) {
        await each.open({ count });
        await oneTurn(each);
        before[each.name] = await heapOf(each);
      }
      const raced = await race(all, ROUNDS, oneTurn);
      for (const each of all) after[each.name] = await heapOf(each);
      return { rounds: raced, heaps: { before, after } };
    } finally {
      await crowd.stop();
    }
  },
);

const names = Object.keys(PATHS);
const of = (name, time, figure) => median(rounds.map((round) => round[name][time][figure]));
const ratioOf = (name) =>
  median(rounds.map(({ [name]: { quiet, flooded } }) => flooded.p99 / quiet.p99));
const growthOf = (name) => heaps.after[name] / heaps.before[name];
const perName = (row) => Object.fromEntries(names.map((name) => [name, row(name)]));

report(
  'flood',
  {
    [`${count} readers, latency`]: perName((name) => ({
      'p99, flooded ÷ in quiet': ratioOf(name),
      'p99 in quiet, ms': of(name, 'quiet', 'p99'),
      'p99 flooded, ms': of(name, 'flooded', 'p99'),
    })),
    [`${ROUNDS} times ${CONNECTS} connects are refused`]: perName((name) => ({
      'refused/s': median(rounds.map(({ [name]: { perSecond } }) => perSecond)),
      'heap after ÷ before': growthOf(name),
      'heap after, MiB': heaps.after[name] / 2 ** 20,
    })),
  },
  [
    goal('p99, flooded ÷ in quiet', ratioOf('ours'), 2),
    goal(
      'p99, flooded: ours ÷ a Nest route',
      of('ours', 'flooded', 'p99') / of('a Nest route', 'flooded', 'p99'),
      1.1,
    ),
    goal('heap, change in %', 100 * Math.abs(growthOf('ours') - 1), 2),
  ],
);
