// This library beside a Nest gateway on WebSockets that sends the same events to as many clients.
//
// Measured: (1) CPU time of the server process per event that reached a client, as in `fan-out`;
// (2) from publishing to arrival, one event at a time, to one client and to all; the other servers
// are stopped meanwhile; (3) memory of an idle connection, as in `memory`. `websocket` sends a
// message for each event; `websocket + joined` sends one for all events of a turn, as this library
// does by itself. A gateway keeps nothing and numbers nothing: ours has its defaults on, which are
// ids, history, keep-alives and backpressure. Nothing is compressed. The clients of both are the
// same: they count the mark in the bytes, after a handshake where there is one. Not shown: messages
// from the client, a real network, TLS, compression, and what a browser does with what has arrived.
import {
  alone,
  compare,
  contestant,
  cpuPerDelivery,
  goal,
  median,
  race,
  readers,
  report,
  upgrade,
  withContestants,
} from './race.mjs';

const count = readers(1_000);
const idle = readers(10_000);
const ROUNDS = 5;
const ONE = { turns: 30, burst: 1, gapMs: 20, perReader: 30, readers: count };
const TWENTY = { turns: 4, burst: 20, gapMs: 20, perReader: 80, readers: count };
const ALONE = { turns: 200, gapMs: 5 };
const EACH = { turns: 40, gapMs: 30 };
const names = ['ours', 'websocket', 'websocket + joined'];

const start = (name) =>
  name === 'ours'
    ? contestant(name)
    : contestant(name, { server: 'websocket', options: { isJoined: name.endsWith('joined') } });
const open = (each, options) =>
  each.open({ ...options, headers: each.name === 'ours' ? {} : upgrade });

/** Milliseconds from publishing to arrival. */
const delay = (publish) => async (each) => {
  await each.load('reset', { latencies: true });
  const published = await each.ask('publish', publish);
  const { isExact } = await each.load('expect', { events: publish.turns });
  if (!isExact) throw new Error(`${each.name}: not every client got every event once`);
  return each.load('latencies', published);
};

const [one, twenty, single, every] = await withContestants(names.map(start), async (all) => {
  // The first round warms up.
  const rounds = async (turn) => (await race(all, ROUNDS + 1, turn)).slice(1);
  const cpu = (publish) => rounds((each) => cpuPerDelivery(each, publish));
  for (const each of all) await open(each, { count: 1 });
  const toOne = await rounds(alone(all, delay(ALONE)));
  for (const each of all) await open(each, { count: count - 1 });
  return [
    compare(await cpu(ONE), 'ours'),
    compare(await cpu(TWENTY), 'ours'),
    toOne,
    await rounds(alone(all, delay(EACH))),
  ];
});

const memory = {};
for (const name of ['ours', 'websocket']) {
  await withContestants([start(name)], async ([each]) => {
    await open(each, { count: 100 });
    const before = await each.ask('memory');
    await open(each, { count: idle - 100 });
    const after = await each.ask('memory');
    const kib = (figure) => (after[figure] - before[figure]) / (idle - 100) / 1024;
    memory[name] = { 'heap KiB': kib('heapUsed'), 'resident KiB': kib('rss') };
  });
}

const costs = (rows) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      { '× ours': rows[name].ratio, 'µs per delivery': rows[name].figure },
    ]),
  );
const delays = (rounds) =>
  Object.fromEntries(
    names.map((name) => {
      const of = (figure) => median(rounds.map((round) => round[name][figure]));
      const ratio = (figure) =>
        median(rounds.map((round) => round[name][figure] / round.ours[figure]));
      return [
        name,
        {
          'p50, × ours': ratio('p50'),
          'p50 ms': of('p50'),
          'p99, × ours': ratio('p99'),
          'p99 ms': of('p99'),
        },
      ];
    }),
  );
const toAll = delays(every);
report(
  'websocket',
  {
    [`${count} clients, one event per turn`]: costs(one),
    [`${count} clients, twenty events per turn`]: costs(twenty),
    'one event to one client': delays(single),
    [`one event to ${count} clients`]: toAll,
    [`per idle connection, of ${idle}`]: memory,
  },
  [
    goal('one per turn: ours ÷ websocket', 1 / one.websocket.ratio, 1.15),
    goal('twenty per turn: ours ÷ websocket', 1 / twenty.websocket.ratio, 1 / 7),
    goal('p50 to all: ours ÷ websocket', 1 / toAll.websocket['p50, × ours'], 1.3),
  ],
);
