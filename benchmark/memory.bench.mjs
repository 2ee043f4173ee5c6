// What an idle connection holds, and what else may grow: the list is in the guide, under Memory.
//
// Measured, of connections: one server after the other, this library and a Nest handler that writes
// by hand on Express and on Fastify, each alone in a fresh process: heap in use
// and resident memory with a hundred open streams and with ten thousand more, after garbage
// collection; the difference by ten thousand. Measured, of what may grow: each thing alone in a
// fresh process, filled beyond its budget (`held.mjs`): what was counted for it, heap in use and
// resident memory, less what there was before; and the heap again after the hub was closed. Then a
// whole server with one reader that reads well, and its resident memory while a thousand events of
// 1 MB go through it. Not shown: what the kernel holds for a socket; what is queued for readers
// that are slow (see slow-reader); Redis (see redis).
import { join } from 'node:path';
import { plotBars } from './plot.mjs';
import { contestant, goal, readers, report, withContestants } from './race.mjs';
import { start } from './rpc.mjs';

const MIB = 2 ** 20;

const count = readers(10_000);
const table = {};
const onFastify = { isFastify: true };
const IDLE = {
  raw: { server: 'raw' },
  ours: { server: 'ours' },
  'ours, Fastify': { server: 'ours', options: onFastify },
  'Nest by hand': { server: 'by-hand' },
  'Nest by hand, Fastify': { server: 'by-hand', options: onFastify },
  'better-sse': { server: 'better-sse' },
  'fastify-sse': { server: 'fastify-sse' },
  'nest-sse': { server: 'nest-sse' },
};
for (const [name, server] of Object.entries(IDLE)) {
  await withContestants([contestant(name, server)], async ([each]) => {
    await each.open({ count: 100 });
    const before = await each.ask('memory');
    await each.open({ count: count - 100 });
    const after = await each.ask('memory');
    const kib = (figure) => (after[figure] - before[figure]) / (count - 100) / 1024;
    table[name] = {
      'heap, × raw': undefined,
      'resident, × raw': undefined,
      'heap KiB': kib('heapUsed'),
      'resident KiB': kib('rss'),
      'process MiB': after.rss / 2 ** 20,
    };
  });
}
for (const row of Object.values(table)) {
  row['heap, × raw'] = row['heap KiB'] / table.raw['heap KiB'];
  row['resident, × raw'] = row['resident KiB'] / table.raw['resident KiB'];
}

/** Calls a fresh process for one question. */
async function held(call, ...args) {
  const child = await start(join(import.meta.dirname, 'held.mjs'), {
    core: 0,
    flags: ['--expose-gc'],
  });
  try {
    return await child.call(call, ...args);
  } finally {
    await child.stop();
  }
}

const filled = {};
for (const name of await held('cases')) {
  const { budget, heap, ...rest } = await held('fill', name);
  filled[name] = {
    'heap ÷ budget': heap / budget,
    'budget MiB': budget / MIB,
    'counted MiB': rest.counted / MIB,
    'heap MiB': heap / MIB,
    'resident MiB': rest.resident / MIB,
    'heap after close() MiB': rest['heap after close()'] / MIB,
  };
}

const SERVERS = {
  defaults: {},
  'a heap of 256 MB': { flags: ['--max-old-space-size=256'] },
  'maxBytes 4 MiB, maxAgeMs 2 000': { history: { maxBytes: 4 * MIB, maxAgeMs: 2_000 } },
};
const whole = {};
for (const [name, { flags, history = {} }] of Object.entries(SERVERS)) {
  const server = contestant('ours', { options: { module: { history } }, flags });
  await withContestants([server], async ([each]) => {
    await each.open({ count: 1 });
    const before = await each.ask('memory');
    await each.ask('watchPeak');
    await each.ask('ask', 'publishAsRead', 'all', 1_000, 1_000_000);
    const peak = await each.ask('peak');
    const after = await each.ask('memory');
    await each.ask('ask', 'rest', 2_500);
    const aged = await each.ask('memory');
    whole[name] = {
      'resident MB': after.rss / 1e6,
      'at the peak': peak / 1e6,
      'heap MB': (after.heapUsed - before.heapUsed) / 1e6,
      '2.5 s later': (aged.heapUsed - before.heapUsed) / 1e6,
    };
  });
}

// The budget of a reader that waits for its snapshot counts wire text, and its backlog holds
// events.
const most = (name) => (name.includes('snapshot') ? 3 : 1.5);
const goalsOf = Object.entries(filled).map(([name, row]) =>
  goal(`heap ÷ budget: ${name}`, row['heap ÷ budget'], most(name)),
);
report(
  'memory',
  {
    [`per idle connection, of ${count}`]: table,
    'what may grow, filled': filled,
    '1 000 events of 1 MB to one reader': whole,
  },
  [
    goal('heap per idle connection, KiB', table.ours['heap KiB'], 9),
    goal('resident ÷ raw', table.ours['resident, × raw'], 1.4),
    goal('heap per idle connection on Fastify, KiB', table['ours, Fastify']['heap KiB'], 8),
    goal('resident ÷ raw on Fastify', table['ours, Fastify']['resident, × raw'], 1.3),
    ...goalsOf,
    goal('resident after 1 000 events of 1 MB, MB', whole.defaults['resident MB'], 300),
    goal('resident peak, on a heap of 256 MB', whole['a heap of 256 MB']['at the peak'], 300),
    goal('resident peak, with the default heap', whole.defaults['at the peak'], 300),
  ],
);
const rows = (figure) =>
  Object.fromEntries(Object.entries(table).map(([name, row]) => [name, { figure: row[figure] }]));
plotBars('bench-memory', 'Memory per idle connection (KiB)', [
  { title: 'heap', rows: rows('heap KiB') },
  { title: 'resident', rows: rows('resident KiB') },
]);
