// What a window of `flushMs` saves where events come evenly.
//
// Measured: CPU time of the server process per event that reached a reader, at 100 events per
// second and 400 readers, over 127.0.0.1. The same app with `flushMs` of 0 and of 50 ms, and
// `raw-socket`, which writes each turn. All servers are up at once and take turns in short rounds;
// the ratio is the median of the ratios within each round. A round only counts if each reader got
// each event once. What publishing and its timers take counts for both.
// Not shown: that events come up to 50 ms later.
import { compare, contestant, goal, race, readers, report, withContestants } from './race.mjs';

// With more, a core is busy with these alone, and events meet in a turn without any window.
const count = readers(400);
const ROUNDS = 5;
const EVENTS = 150;
const PER_SECOND = 100;

const rows = await withContestants(
  [
    contestant('flushMs 0', { server: 'ours' }),
    contestant('flushMs 50', { server: 'ours', options: { module: { flushMs: 50 } } }),
    contestant('raw-socket'),
  ],
  async (all) => {
    for (const each of all) await each.open({ count });
    const measure = async (each) => {
      await each.load('reset');
      const before = await each.ask('cpu');
      await each.ask('publish', { turns: EVENTS, everyMs: 1_000 / PER_SECOND });
      const { isExact, least, most } = await each.load('expect', { events: EVENTS });
      const after = await each.ask('cpu');
      if (isExact) return (after - before) / (count * EVENTS);
      console.log(`${each.name}: readers got ${least} to ${most} of ${EVENTS} events; no figure`);
      return undefined;
    };
    // The first round warms up.
    const [, ...results] = await race(all, ROUNDS + 1, measure);
    return compare(results, 'flushMs 0');
  },
);

report(
  'window',
  {
    [`${count} readers, ${PER_SECOND} events per second`]: Object.fromEntries(
      Object.entries(rows).map(([name, { ratio, figure }]) => [
        name,
        { '× flushMs 0': ratio, 'µs per delivery': figure },
      ]),
    ),
  },
  [goal('flushMs 50 ÷ flushMs 0', rows['flushMs 50'].ratio, 0.35)],
);
