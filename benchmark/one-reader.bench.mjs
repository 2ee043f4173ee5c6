// One reader and ten thousand events per second.
//
// Measured: two seconds of 10 000 events per second, published by the clock; from publishing to
// arrival. The text that arrived is read afterwards: every event is there, once and in order. The
// servers take turns. Not shown: what ten thousand readers of such a stream would need.
import { contestant, goal, median, race, report, withContestants } from './race.mjs';

const ROUNDS = 3;
const PER_SECOND = 10_000;
const EVENTS = 2 * PER_SECOND;

async function run(each) {
  await each.load('reset', { latencies: true, text: true });
  const before = await each.ask('cpu');
  const published = await each.ask('publishAtRate', { perSecond: PER_SECOND, events: EVENTS });
  await each.load('expect', { events: EVENTS });
  const cpu = (await each.ask('cpu')) - before;
  const { p50, p99, max } = await each.load('latencies', published);
  const text = (await each.load('text')).map(([, chunk]) => chunk).join('');
  // Chunks of HTTP begin and end between events, so a number is never cut in two.
  const numbers = [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
  const isInOrder = numbers.length === EVENTS && numbers.every((n, index) => n === index);
  const perSecond = (1000 * EVENTS) / (published.at(-1) - published[0]);
  return { p50, p99, max, perSecond, isInOrder, core: cpu / ((1e6 * EVENTS) / PER_SECOND) };
}

const names = ['raw', 'ours', 'better-sse', 'fastify-sse', 'nest-sse'];
const rounds = await withContestants(
  names.map((name) => contestant(name)),
  async (all) => {
    for (const each of all) await each.open({ count: 1 });
    return race(all, ROUNDS, run);
  },
);
const table = {};
for (const name of names) {
  const of = (figure) => median(rounds.map((round) => round[name][figure]));
  table[name] = {
    'CPU, × raw': median(rounds.map((round) => round[name].core / round.raw.core)),
    'p50 ms': of('p50'),
    'p99 ms': of('p99'),
    'max ms': of('max'),
    'events/s': of('perSecond'),
    'share of a core': of('core'),
    'all, in order': rounds.every((round) => round[name].isInOrder),
  };
}
report('one-reader', { [`one reader, ${PER_SECOND} events per second`]: table }, [
  goal('p99 ms', table.ours['p99 ms'], 50),
  goal('lost, doubled or out of order', table.ours['all, in order'] ? 0 : 1, 0),
]);
