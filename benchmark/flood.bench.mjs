// A thousand readers, and twenty thousand who are refused because all places are taken.
//
// Measured: the latency from publishing to arrival at the readers, an event every 100 ms, first in quiet and then while 20 000
// connects are answered 200 and `retry:`, 64 of them under way at any time; the median over rounds of the ratio of the p99s.
// Heap in use, after garbage collection, before the first flood that counts and after the last. A round only counts if every
// reader got every event once, and only the readers are open after it.
// Not shown: clients that wait before they come back, as `retry:` asks them to. Both kinds of clients, each in a process of its
// own, share a core, so the readers' figures have some of what the flood costs its clients.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
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

const { results, before, after } = await withContestants(
  [contestant('ours', { options })],
  async ([each]) => {
    const crowd = await start(join(import.meta.dirname, 'load.mjs'), { core: LOAD_CORE });
    const flood = (connects) =>
      crowd.call('churn', { port: each.port, count: connects, path: '/events' });
    try {
      await each.open({ count });
      await turn(each, flood);
      const heapBefore = await heapOf(each);
      const rounds = await race([each], ROUNDS, () => turn(each, flood));
      return {
        results: rounds.map(({ ours }) => ours),
        before: heapBefore,
        after: await heapOf(each),
      };
    } finally {
      await crowd.stop();
    }
  },
);

const of = (time, figure) => median(results.map((round) => round[time][figure]));
const ratio = median(results.map(({ quiet, flooded }) => flooded.p99 / quiet.p99));
report(
  'flood',
  {
    [`${count} readers, latency`]: {
      'in quiet': { 'p99, ×': 1, 'p50 ms': of('quiet', 'p50'), 'p99 ms': of('quiet', 'p99') },
      flooded: { 'p99, ×': ratio, 'p50 ms': of('flooded', 'p50'), 'p99 ms': of('flooded', 'p99') },
    },
    [`${ROUNDS} times ${CONNECTS} connects are refused`]: {
      ours: {
        'refused/s': median(results.map(({ perSecond }) => perSecond)),
        'heap after ÷ before': after / before,
        'heap before MiB': before / 2 ** 20,
        'heap after MiB': after / 2 ** 20,
      },
    },
  },
  [
    goal('p99, flooded ÷ in quiet', ratio, 2),
    goal('heap, change in %', 100 * Math.abs(after / before - 1), 2),
  ],
);
