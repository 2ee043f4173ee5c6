// One reader that has stopped reading, among a thousand.
//
// Measured: two servers of ours with a thousand readers each take turns in short rounds; in one of
// them a further reader stands still, and what the kernel takes for it is full. The latency from
// publishing to arrival at the others, as the median of the ratios of the p99; when the server lets
// go of the stalled one (`stallTimeoutMs` is 15 s); with a second one that is sent events of 64 KiB
// without end, the most that is queued for it; and what a call of `emit()` takes while one that
// returned to 2 000 missed events of 1 KiB stands still in the middle of them. Not shown: a reader
// that reads, but too little.
import { setTimeout as sleep } from 'node:timers/promises';
import { contestant, goal, median, race, readers, report, withContestants } from './race.mjs';

const count = readers(1_000);
const ROUNDS = 9;
const module = { history: { maxEvents: 10_000 } };
const now = () => performance.timeOrigin + performance.now();

/** Where the first of 2 000 events of 1 KiB is. */
async function missed(each) {
  await each.ask('ask', 'emitTimes', 'missed', 1, 1_024);
  const position = await each.ask('ask', 'position');
  await each.ask('ask', 'emitTimes', 'missed', 2_000, 1_024);
  return position;
}

async function emitting(each) {
  const times = await each.ask('ask', 'emitTimes', 'missed', 500, 1_024);
  times.sort((a, b) => a - b);
  return { p50: times[250], p99: times[495] };
}

async function latency(each) {
  await each.load('reset', { latencies: true });
  const published = await each.ask('publish', { turns: 20, everyMs: 30 });
  const { isExact } = await each.load('expect', { events: 20, sockets: count });
  if (!isExact) throw new Error(`${each.name}: not all readers got all events`);
  const { p50, p99 } = await each.load('latencies', published);
  return { p50, p99 };
}

/**
 * Opens a reader that stands still, and sends it events until the kernel takes no more. Answers
 * when that was.
 */
async function stall(each, index) {
  const room = `stalled-${index}`;
  await each.open({ count: 1, paths: [`/events?room=all,${room}`] });
  await each.load('pause', index);
  for (let n = 0; n < 500; n++) {
    await each.ask('publish', { turns: 1, rooms: [room], bytes: 65_536, gapMs: 2 });
    if ((await each.ask('ask', 'buffered')) > 0) return now();
  }
  throw new Error('the kernel took everything');
}

const { rounds, emits, held, goneMs, ends } = await withContestants(
  ['without', 'with'].map((name) => contestant(name, { server: 'ours', options: { module } })),
  async (all) => {
    for (const each of all) await each.open({ count });
    for (const each of all) await latency(each);
    const other = all[1];
    const blockedAt = await stall(other, count);
    const results = await race(all, ROUNDS, latency);
    let gone;
    for (let n = 0; n < 400 && gone === undefined; n++) {
      [gone] = await other.ask('ask', 'ends');
      await sleep(50);
    }
    await stall(other, count + 1);
    let most = 0;
    let over;
    for (let n = 0; n < 200 && over === undefined; n++) {
      const room = `stalled-${count + 1}`;
      await other.ask('publish', { turns: 1, rooms: [room], bytes: 65_536 });
      most = Math.max(most, await other.ask('ask', 'buffered'));
      [, over] = await other.ask('ask', 'ends');
    }
    await missed(all[0]);
    const headers = { 'last-event-id': await missed(other) };
    await other.open({ count: 1, paths: ['/events?room=missed'], headers });
    await other.load('pause', count + 2);
    for (const each of all) await emitting(each);
    const whileEmitting = await race(all, ROUNDS, emitting);
    return {
      rounds: results,
      emits: whileEmitting,
      held: most,
      goneMs: gone && gone.at - blockedAt,
      ends: [gone?.reason, over?.reason],
    };
  },
);

const of = (name, figure) => median(rounds.map((round) => round[name][figure]));
const emit = (name) => ({
  'p50 ms': median(emits.map((round) => round[name].p50)),
  'p99 ms': median(emits.map((round) => round[name].p99)),
});
const ratio = median(rounds.map((round) => round.with.p99 / round.without.p99));
report(
  'slow-reader',
  {
    [`${count} readers, latency of the others`]: {
      without: { 'p99, ×': 1, 'p50 ms': of('without', 'p50'), 'p99 ms': of('without', 'p99') },
      'with a stalled one': {
        'p99, ×': ratio,
        'p50 ms': of('with', 'p50'),
        'p99 ms': of('with', 'p99'),
      },
    },
    'one call of `emit()`': {
      without: emit('without'),
      'with one that stands still in its replay': emit('with'),
    },
    'the stalled one': {
      'stands still': { ended: ends[0], 'after s': goneMs / 1000 },
      'is sent too much': { ended: ends[1], 'held KiB at most': held / 1024 },
    },
  },
  [
    goal('p99 of the others, with ÷ without', ratio, 1.1),
    goal('held for it, KiB', held / 1024, 1024),
    goal('gone after s', goneMs / 1000, 16),
    goal('p99 of emit(), ms', emit('with')['p99 ms'], 1),
  ],
);
