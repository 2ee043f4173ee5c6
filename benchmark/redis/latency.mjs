// 1 000 events per second from one app to a client of another app.
//
// From `emit()` in process A (core 1) over Redis to process B (both on core 0) and to a raw socket
// of a client of B (core 1). Beside it, at the same rate and with messages of the same size:
// `ioredis` publishes in one process and hears it in another, which ends there (`pub/sub`), and
// which goes on to a client of node:http as ours does (`pub/sub, http`).
import { goal, race } from '../race.mjs';
import { quantile, tableOf, withProcesses } from './processes.mjs';

const ROUNDS = 9;
const PER_SECOND = 1_000;
const EVENTS = 2_000;

export async function latency() {
  const rounds = await withProcesses(async ({ redis, app, bare, load }) => {
    const { url } = await redis();
    const contestant = async (name, from, to, hasClient) => {
      const client = hasClient ? await load() : undefined;
      await client?.call('open', { port: to.port, count: 1, paths: ['/events'] });
      return { name, from, to, client };
    };
    const sender = await bare(1, { url });
    const all = [
      await contestant('pub/sub', sender, await bare(0, { url, listens: true }), false),
      await contestant(
        'pub/sub, http',
        await bare(1, { url, channel: 'http' }),
        await bare(0, { url, channel: 'http', listens: true }),
        true,
      ),
      await contestant('ours', await app(1, { url }), await app(0, { url }), true),
    ];
    for (const each of all) await turn(each);
    return race(all, ROUNDS, turn);
  });
  const figures = {
    'p50 ms': ({ p50 }) => p50,
    'p99 ms': ({ p99 }) => p99,
    'CPU of A, µs': ({ cpuA }) => cpuA,
    'CPU of B, µs': ({ cpuB }) => cpuB,
  };
  const p50 = tableOf(rounds, 'pub/sub', { title: 'p50, ×', ratio: (each) => each.p50, figures });
  const p99 = tableOf(rounds, 'pub/sub', {
    title: 'p99, ×',
    ratio: (each) => each.p99,
    figures: {},
  });
  const rows = Object.keys(p50).map((name) => [name, { ...p99[name], ...p50[name] }]);
  return {
    tables: { [`${PER_SECOND} events per second, publish to arrival`]: Object.fromEntries(rows) },
    goals: [
      goal('p50 ÷ a bare Pub/Sub hop', p50.ours['p50, ×'], 2),
      goal('p99 ÷ a bare Pub/Sub hop', p99.ours['p99, ×'], 3),
    ],
  };
}

async function turn({ name, from, to, client }) {
  if (client === undefined) await to.ask('reset', true);
  await client?.call('reset', { latencies: true });
  const cpuOf = () => Promise.all([from.cpu(), to.cpu()]);
  const before = await cpuOf();
  const published = await from.call('publishAtRate', { perSecond: PER_SECOND, events: EVENTS });
  if (client === undefined) await to.ask('until', EVENTS);
  const { isExact } = (await client?.call('expect', { events: EVENTS })) ?? { isExact: true };
  const after = await cpuOf();
  if (!isExact) throw new Error(`${name}: not every event came once`);
  const [cpuA, cpuB] = after.map((value, n) => (value - before[n]) / EVENTS);
  if (client !== undefined) return { ...(await client.call('latencies', published)), cpuA, cpuB };
  const arrivals = await to.ask('arrivals');
  const times = arrivals.map((at, n) => at - published[n]).sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), cpuA, cpuB };
}
