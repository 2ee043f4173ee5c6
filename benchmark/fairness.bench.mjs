// Whether the rest of the app still answers while ten thousand readers get their events.
//
// Measured: (1) twenty events per second, one every 50 ms, to 10 000 readers; meanwhile another
// route of the same server is asked every 10 ms, whether or not the last answer has come, and its
// latency is taken from when it was due. A server that needs more than 50 ms for an event publishes
// when its thread is free again: `events/s` says how far it came. The requests go over sixteen
// connections that are open already, as from a proxy: Node accepts only one per turn of its event
// loop. (2) one event to 10 000 readers: how long until the last has it. All servers are up at once
// and take turns; the others are stopped meanwhile, because ten thousand keep-alives of theirs
// would be a tenth of a second of this one. One process, the benchmark's own, asks the route: what
// it measures of a server without events is told as `idle`. Not shown: routes that themselves take
// long.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { plotBars } from './plot.mjs';
import {
  alone,
  compare,
  contestant,
  goal,
  median,
  race,
  readers,
  report,
  withContestants,
} from './race.mjs';

const count = readers(10_000);
const ROUNDS = 3;
const EVENTS = 30;
const CONNECTIONS = 16;

/** Asks `/ping` every 10 ms until what `work` begins is over; the quantiles of what it took. */
async function probe(port, work) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(port, agent)));
  const progress = { isOver: false };
  const over = work().finally(() => (progress.isOver = true));
  const answers = [];
  const start = performance.now();
  for (let n = 0; !progress.isOver; n++) {
    const due = start + 10 * n;
    await sleep(due - performance.now());
    answers.push(ask(port, agent).then(() => performance.now() - due));
  }
  await over;
  const times = (await Promise.all(answers)).sort((a, b) => a - b);
  agent.destroy();
  const quantile = (q) => times[Math.floor(q * (times.length - 1))];
  return { p50: quantile(0.5), p99: quantile(0.99) };
}

const ask = (port, agent) =>
  new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/ping', agent }, (response) => {
      response.resume().on('end', resolve);
    });
    // A server may close a connection that rests, just when a request is on its way.
    request.on('error', (error) => {
      if (request.reusedSocket) resolve(ask(port, agent));
      else reject(error);
    });
  });

async function twentyPerSecond(each, round) {
  // The first round warms up.
  const turns = round === 0 ? EVENTS / 3 : EVENTS;
  await each.load('reset');
  const idle = await probe(each.port, () => sleep(500));
  let times;
  const { p50, p99 } = await probe(each.port, async () => {
    times = await each.ask('publish', { turns, everyMs: 50 });
  });
  const { isExact, least, most } = await each.load('expect', { events: turns });
  if (!isExact) console.log(`${each.name}: readers got ${least} to ${most} of ${turns} events`);
  const perSecond = (1000 * (turns - 1)) / (times.at(-1) - times[0]);
  return { p50, p99, idle: idle.p99, perSecond };
}

async function lastReader(each) {
  await each.load('reset', { latencies: true });
  const published = await each.ask('publish', { turns: 4, gapMs: 100 });
  await each.load('expect', { events: 4 });
  const { last } = await each.load('latencies', published);
  return median(last);
}

const names = ['raw', 'ours', 'better-sse', 'fastify-sse', 'nest-sse'];
const { route, last } = await withContestants(
  names.map((name) => contestant(name)),
  async (all) => {
    for (const each of all) await each.open({ count });
    const [, ...lasts] = await race(all, ROUNDS + 3, alone(all, lastReader));
    const [, ...routes] = await race(all, ROUNDS + 1, alone(all, twentyPerSecond));
    return { last: compare(lasts, 'raw'), route: routes };
  },
);
const routes = {};
for (const name of names) {
  const of = (figure) => median(route.map((round) => round[name][figure]));
  routes[name] = {
    'p99, × ours': median(route.map((round) => round[name].p99 / round.ours.p99)),
    'p50 ms': of('p50'),
    'p99 ms': of('p99'),
    'idle p99 ms': of('idle'),
    'events/s': of('perSecond'),
  };
}
const lasts = Object.entries(last).map(([name, { ratio, figure }]) => [
  name,
  { '× raw': ratio, ms: figure },
]);
report(
  'fairness',
  {
    [`another route, while ${count} readers get 20 events per second`]: routes,
    [`one event, until the last of ${count} readers has it`]: Object.fromEntries(lasts),
  },
  [
    goal('another route, p99 ms', routes.ours['p99 ms'], 25),
    goal('last reader: ours ÷ raw', last.ours.ratio, 1.4),
  ],
);
plotBars('bench-fairness', `Another route of the app, p99 (ms): ${count} readers, 20 events/s`, [
  {
    title: 'asked every 10 ms',
    rows: Object.fromEntries(names.map((name) => [name, { figure: routes[name]['p99 ms'] }])),
  },
]);
