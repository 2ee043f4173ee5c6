// What a client that returns costs, with the log in memory.
//
// Measured: in one process and without sockets, `readMissed` for clients that missed 50 events of
// one room, over a log that keeps 10^5 and then 10^6 events in 1 000 rooms: how long until the
// missed events are there (median and p99 of single resumes), and how many follow each other in a
// second. Then the heap that a kept event of 200 bytes costs. The ratio between the two sizes is
// what matters: it says whether a resume depends on how much is kept. In the same run and turn by
// turn, so that a machine that changes its speed changes both. Not shown: writing the missed events
// to sockets (see the fan-out benchmark), a log on another machine.
import { MemoryEventLog } from '../dist/lib/log/event-log-memory.js';
import { encodeBody } from '../dist/lib/wire/frame.js';
import { formatCursor } from '../dist/lib/wire/cursor.js';
import { parseLastEventId } from '../dist/lib/wire/last-event-id.js';
import { readMissed } from '../dist/lib/log/resume.js';

const ROOMS = 1_000;
const MISSED = 50;
const ROUNDS = 30;
const PER_ROUND = 500;

async function filled(count) {
  const history = { maxEvents: count, maxAgeMs: 86_400_000, maxBytes: 2 ** 40 };
  const log = new MemoryEventLog(history);
  const positions = new Map();
  for (let n = 0; n < count; n++) {
    const room = `room ${n % ROOMS}`;
    const message = { type: 'n', data: `${n} ${'x'.repeat(180)}` };
    const { position, epoch } = await log.append({
      rooms: [room],
      message,
      body: encodeBody(message),
    });
    // Where a client of the room stood that has missed its last 50 events.
    if (n >= count - ROOMS * (MISSED + 1) && !positions.has(room)) {
      positions.set(room, formatCursor({ epoch, position }));
    }
  }
  return { log, clients: [...positions] };
}

const quantile = (sorted, q) => sorted[Math.floor(q * (sorted.length - 1))];
const median = (list) =>
  quantile(
    [...list].sort((a, b) => a - b),
    0.5,
  );

async function round({ log, clients }) {
  const times = [];
  const start = performance.now();
  for (let n = 0; n < PER_ROUND; n++) {
    const [room, cursor] = clients[n % clients.length];
    const before = performance.now();
    const { events, gaps } = await readMissed(log, [room], parseLastEventId(cursor).cursors);
    times.push(performance.now() - before);
    if (events.length !== MISSED || gaps.length !== 0) throw new Error('not a resume');
  }
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  return { perSecond: PER_ROUND / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

global.gc();
const heapBefore = process.memoryUsage().heapUsed;
const small = await filled(100_000);
global.gc();
const bytesPerEvent = (process.memoryUsage().heapUsed - heapBefore) / 100_000;
const large = await filled(1_000_000);

const rounds = [];
for (let n = 0; n < ROUNDS; n++)
  rounds.push({ small: await round(small), large: await round(large) });
const pick = (size, figure) => median(rounds.map((each) => each[size][figure]));
console.log(`resumes of ${MISSED} missed events, in memory`);
console.table({
  '10^5 events kept': {
    'per second': Math.round(pick('small', 'perSecond')),
    'p50 µs': +(1000 * pick('small', 'p50')).toFixed(1),
    'p99 µs': +(1000 * pick('small', 'p99')).toFixed(1),
  },
  '10^6 events kept': {
    'per second': Math.round(pick('large', 'perSecond')),
    'p50 µs': +(1000 * pick('large', 'p50')).toFixed(1),
    'p99 µs': +(1000 * pick('large', 'p99')).toFixed(1),
  },
});
const ratio = median(rounds.map((each) => each.large.p50 / each.small.p50));
console.log(`p50 with 10^6 over p50 with 10^5: ${ratio.toFixed(2)}`);
console.log(`heap per kept event of about 200 bytes: ${Math.round(bytesPerEvent)} bytes`);
await small.log.close();
await large.log.close();
