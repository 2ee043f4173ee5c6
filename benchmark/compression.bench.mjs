// What compression costs and saves.
//
// Measured: CPU time of the server process per event that reached a reader, and bytes of the body
// per event, with one event per turn of the event loop and with twenty; memory per idle connection.
// The events are prices that walk at random, about 160 bytes each on the wire: every number in them
// changes, so this is near the least that compression can save. `ours` is a Nest app on Express
// with the module's defaults; `compressed` has the option `compression` as well; `level 1` and
// `level 9` show what the option `level` does; `middleware` has `compression()` of Express instead,
// which is let compress the streams. All readers inflate what they get, and a turn only counts if
// each got each event once. The servers take turns in short rounds, as in `fan-out`. Not shown:
// TLS, and readers with events of their own, each of which costs about 10 µs more (see the guide).
import {
  compare,
  contestant,
  goal,
  median,
  race,
  readers,
  report,
  withContestants,
} from './race.mjs';

const count = readers(1_000);
const ROUNDS = 9;
const keepAlive = false;
const KINDS = {
  ours: { module: { keepAlive } },
  compressed: { module: { keepAlive, compression: true } },
  'level 1': { module: { keepAlive, compression: { level: 1 } } },
  'level 9': { module: { keepAlive, compression: { level: 9 } } },
  middleware: {
    hasMiddleware: true,
    module: { keepAlive, headers: { 'Cache-Control': 'no-cache' } },
  },
};
const headers = { 'accept-encoding': 'gzip' };
const ONE = { turns: 30, burst: 1, gapMs: 20 };
const TWENTY = { turns: 4, burst: 20, gapMs: 20 };

/** CPU and bytes per event and reader, in one turn. `undefined` if not all arrived. */
async function turnOf(each, publish) {
  const events = publish.turns * publish.burst;
  await each.load('reset');
  const before = await each.ask('cpu');
  await each.ask('publishPrices', publish);
  const { isExact, least, most, bytes } = await each.load('expect', { events });
  const after = await each.ask('cpu');
  if (!isExact) console.log(`${each.name}: readers got ${least} to ${most} of ${events} events`);
  const deliveries = count * events;
  return isExact ? { cpu: (after - before) / deliveries, bytes: bytes / deliveries } : undefined;
}

const { one, twenty } = await withContestants(
  Object.entries(KINDS).map(([name, options]) =>
    contestant(name, { server: 'ours', options, load: 'gzip-load.mjs' }),
  ),
  async (all) => {
    for (const each of all) await each.open({ count, headers });
    const measure = async (publish) => {
      // The first round warms up.
      const [, ...rounds] = await race(all, ROUNDS + 1, (each) => turnOf(each, publish));
      const figures = (name) =>
        rounds.map((round) =>
          Object.fromEntries(
            Object.entries(round).map(([server, result]) => [server, result?.[name]]),
          ),
        );
      const [cpu, bytes] = ['cpu', 'bytes'].map((name) => compare(figures(name), 'ours'));
      return Object.fromEntries(
        all.map(({ name }) => [
          name,
          {
            'CPU, × ours': cpu[name].ratio,
            'bytes, × ours': bytes[name].ratio,
            'µs per delivery': cpu[name].figure,
            'bytes per event': bytes[name].figure,
          },
        ]),
      );
    };
    return { one: await measure(ONE), twenty: await measure(TWENTY) };
  },
);

/** KiB per idle connection, in a fresh process. */
async function memoryOf(name, connections) {
  return withContestants(
    [contestant(name, { server: 'ours', options: KINDS[name] })],
    async ([each]) => {
      await each.open({ count: 100, headers });
      const before = await each.ask('memory');
      await each.open({ count: connections - 100, headers });
      // One event, as streams that never had any would hold no window.
      await each.ask('publishPrices', { turns: 1, gapMs: 500 });
      const after = await each.ask('memory');
      const kib = (figure) => (after[figure] - before[figure]) / (connections - 100) / 1024;
      return { 'heap KiB': kib('heapUsed'), 'resident KiB': kib('rss') };
    },
  );
}

const idle = {};
for (const name of ['ours', 'compressed']) {
  const runs = [];
  for (let run = 0; run < 3; run++) runs.push(await memoryOf(name, readers(5_000)));
  idle[name] = Object.fromEntries(
    Object.keys(runs[0]).map((figure) => [figure, median(runs.map((each) => each[figure]))]),
  );
}
idle.middleware = await memoryOf('middleware', readers(1_000));

const extra = (figure) => idle.compressed[figure] - idle.ours[figure];
report(
  'compression',
  {
    [`${count} readers, one event per turn`]: one,
    [`${count} readers, twenty events per turn`]: twenty,
    'per idle connection': idle,
  },
  [
    goal('one per turn: CPU, compressed ÷ ours', one.compressed['CPU, × ours'], 1.1),
    goal('twenty per turn: CPU, compressed ÷ ours', twenty.compressed['CPU, × ours'], 1.1),
    goal('one per turn: bytes, compressed ÷ ours', one.compressed['bytes, × ours'], 0.3),
    goal('twenty per turn: bytes, compressed ÷ ours', twenty.compressed['bytes, × ours'], 0.15),
    goal('heap for compression per idle connection, KiB', extra('heap KiB'), 1),
    goal('resident for compression per idle connection, KiB', extra('resident KiB'), 1),
  ],
);
