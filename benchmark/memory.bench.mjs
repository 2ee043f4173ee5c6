// What an idle connection holds.
//
// Measured: one server after the other, each alone in a fresh process: heap in use and resident memory with a hundred open
// streams and with ten thousand more, after garbage collection; the difference by ten thousand.
// Not shown: what the kernel holds for a socket, history (which does not depend on the number of connections), and what is
// queued for readers that are slow.
import { plotBars } from './plot.mjs';
import { contestant, goal, readers, report, withContestants } from './race.mjs';

const count = readers(10_000);
const table = {};
for (const name of ['raw', 'ours', 'better-sse', 'fastify-sse', 'nest-sse']) {
  await withContestants([contestant(name)], async ([each]) => {
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
report('memory', { [`per idle connection, of ${count}`]: table }, [
  goal('heap per idle connection, KiB', table.ours['heap KiB'], 9),
  goal('resident ÷ raw', table.ours['resident, × raw'], 1.4),
]);
const rows = (figure) =>
  Object.fromEntries(Object.entries(table).map(([name, row]) => [name, { figure: row[figure] }]));
plotBars('bench-memory', 'Memory per idle connection (KiB)', [
  { title: 'heap', rows: rows('heap KiB') },
  { title: 'resident', rows: rows('resident KiB') },
]);
