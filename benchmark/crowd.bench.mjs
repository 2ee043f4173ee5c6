// A hundred thousand streams open at once in one process: whether all of them get every event, and
// whether anything stays when they left.
//
// Measured: 100 000 streams of HTTP/2, a thousand on a socket, as few machines let one process have
// as many sockets; heap in use after garbage collection and resident memory with all of them open;
// ten events to each; then all sockets are cut, and the same again. Nothing may stay. Not shown: a
// socket for each (see memory and churn); what the kernel holds.
import { setTimeout as sleep } from 'node:timers/promises';
import { contestant, goal, report, withContestants } from './race.mjs';

const COUNT = 100_000;
const EVENTS = 10;
const MIB = 2 ** 20;
const table = {};
let received = 0;
let open = Infinity;

const server = contestant('ours', {
  options: { isHttp2: true },
  load: 'http2-load.mjs',
  flags: ['--max-old-space-size=8192'],
});
await withContestants([server], async ([each]) => {
  const crowd = async (count) => {
    await each.load('open', { port: each.port, count });
    const reached = await each.ask('ask', 'open');
    await each.ask('publish', { turns: EVENTS, gapMs: 10 });
    const events = await each.load('expect', { count: EVENTS * count });
    const full = await each.ask('memory');
    await each.load('leave');
    while ((open = await each.ask('ask', 'open')) > 0) await sleep(100);
    // The server forgets the sockets.
    await sleep(2_000);
    return { reached, events, full, empty: await each.ask('memory') };
  };
  const before = await crowd(COUNT / 10);
  for (const round of ['first', 'second']) {
    const { reached, events, full, empty } = await crowd(COUNT);
    received = events;
    table[round] = {
      'open at once': reached,
      'events received': events,
      'heap MiB': full.heapUsed / MIB,
      'resident MiB': full.rss / MIB,
      'KiB per stream': (full.heapUsed - before.empty.heapUsed) / reached / 1024,
      'heap MiB when they left': empty.heapUsed / MIB,
      'heap after ÷ before': empty.heapUsed / before.empty.heapUsed,
    };
  }
});
report('crowd', { [`${COUNT} streams open at once`]: table }, [
  goal('streams that did not open', COUNT - table.second['open at once'], 0),
  goal('events that did not arrive', COUNT * EVENTS - received, 0),
  goal('still open', open, 0),
  goal('heap after ÷ before', table.second['heap after ÷ before'], 1.1),
]);
