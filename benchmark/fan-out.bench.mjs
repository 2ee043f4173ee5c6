// What one event to a thousand readers costs the server, and on the wire.
//
// Measured: CPU time of the server process per event that reached a reader, over 127.0.0.1, with
// one event per turn of the event loop and with twenty; and the bytes that a reader got per event,
// with the chunks of HTTP or the frames around them. All servers are up at once, each with its
// readers in a further process on another core, and take turns in short rounds; the ratio is the
// median of the ratios within each round, because a machine's speed drifts by a third within a
// minute. Readers count events (one `memchr`), and a turn only counts if each got each event once.
// Ours is a Nest app with the module's defaults: ids, history, keep-alive, backpressure. `ours +
// metrics` is ours with `SsePrometheusModule`.
//
// The floors have no features. `raw` is node:http with one shared buffer per turn; `raw-socket`
// writes a chunk of HTTP, framed once per turn, below the response with `socket.write`; `C send(2)`
// hands that chunk to the kernel from C. Other stacks: `nchan` is nginx, `go net/http` has a
// goroutine for each reader, `bun sse` writes to streams of type `direct`, `bun websocket` uses
// `server.publish()`. They get the events from a process that does not count.
//
// Not shown: a real network, TLS, compression, readers that are slow, and time between publishing
// and arrival.
import { foreign } from './foreign.mjs';
import { plotBars } from './plot.mjs';
import {
  contestant,
  deliveryTable,
  goal,
  raceDeliveries,
  readers,
  report,
  upgrade,
  withContestants,
} from './race.mjs';

const count = readers(1_000);
const ROUNDS = 7;
const names = ['raw', 'ours', 'raw-socket', 'better-sse', 'fastify-sse', 'nest-sse'];
const withMetrics = { server: 'ours', options: { hasMetrics: true } };
const ONE = { turns: 30, burst: 1, gapMs: 20, perReader: 30, readers: count };
const TWENTY = { turns: 4, burst: 20, gapMs: 20, perReader: 80, readers: count };

const { one, twenty } = await withContestants(
  [
    ...names.map((name) => contestant(name)),
    contestant('ours + metrics', withMetrics),
    ...foreign().map((start) => start()),
  ],
  async (all) => {
    for (const each of all) {
      await each.open({ count, headers: each.name.endsWith('websocket') ? upgrade : {} });
    }
    const measure = (publish) => {
      // The first round warms up. It is longer, because what a server does once per event runs a
      // thousand times less often than what it does for each reader.
      const { turns, perReader } = publish;
      const warmUp = { ...publish, turns: 5 * turns, perReader: 5 * perReader };
      return raceDeliveries(all, 'ours', ROUNDS, publish, warmUp);
    };
    return { one: await measure(ONE), twenty: await measure(TWENTY) };
  },
);

const floor = 'C send(2)';
report(
  'fan-out',
  {
    [`${count} readers, one event per turn`]: deliveryTable(one),
    [`${count} readers, twenty events per turn`]: deliveryTable(twenty),
  },
  [
    goal('one per turn: ours ÷ raw', 1 / one.raw.ratio, 1.15),
    goal('one per turn: ours ÷ socket.write', 1 / one['raw-socket'].ratio, 1.08),
    ...(one[floor] ? [goal(`one per turn: ours ÷ ${floor}`, 1 / one[floor].ratio, 1.5)] : []),
    goal('one per turn: ours ÷ better-sse', 1 / one['better-sse'].ratio, 1 / 1.4),
    goal('one per turn: ours ÷ nest-sse', 1 / one['nest-sse'].ratio, 1 / 2.3),
    ...(one.nchan ? [goal('one per turn: ours ÷ nchan', 1 / one.nchan.ratio, 1)] : []),
    goal('one per turn: ours + metrics ÷ ours', one['ours + metrics'].ratio, 1.05),
    goal('twenty per turn: ours ÷ raw', 1 / twenty.raw.ratio, 1.15),
    goal('twenty per turn: ours ÷ better-sse', 1 / twenty['better-sse'].ratio, 1 / 7),
    goal('twenty per turn: ours ÷ nest-sse', 1 / twenty['nest-sse'].ratio, 1 / 25),
    goal('twenty per turn: ours + metrics ÷ ours', twenty['ours + metrics'].ratio, 1.05),
  ],
);
plotBars('bench-fan-out', `Server CPU per delivered event, ${count} readers (µs)`, [
  { title: 'one event per turn', rows: one },
  { title: 'twenty events per turn', rows: twenty },
]);
