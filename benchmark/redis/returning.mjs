// 5 000 clients return at once to a process that is new.
//
// One app publishes twenty events to each of ten rooms; then another starts, and the clients, 400
// at a time, come to that one: each has to get its twenty events, none lost and none twice, and
// then a further one. How many scripts Redis ran from before the first client until all had
// resumed, and the reads of a room among them. The clients were away for a few seconds; for up to
// nine minutes, each for another time, in any order; and the same in the order of how long, the
// worst for what a process keeps of its reads: each client asks for more than any before it. The
// log of the latter two pretends to be older than it is; all events are those twenty. The apps are
// on core 0 with Redis, the clients on core 1.
import { formatCursor } from '../../dist/lib/wire/cursor.js';
import { goal, median, race, readers } from '../race.mjs';
import { withProcesses } from './processes.mjs';

const count = readers(5_000);
const ROUNDS = 3;
const MISSED = 20;
const MINUTE_US = 60_000_000;
const EPOCH = 'benched';
const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);
const paths = rooms.map((room) => `/events?room=${room}`);

const CASES = {
  'away for seconds': { ages: () => 0 },
  'up to 9 minutes, in any order': { ages: (n) => ((n * 7919) % count) / count },
  'up to 9 minutes, in that order': { ages: (n) => n / count },
};

export async function returning() {
  const cases = Object.entries(CASES).map(([name, rest]) => ({ name, ...rest }));
  const rounds = await race(cases, ROUNDS, run);
  const rows = Object.keys(CASES).map((name) => {
    const of = (figure) => median(rounds.map((round) => round[name][figure]));
    return [
      name,
      {
        seconds: of('seconds'),
        'clients/s': count / of('seconds'),
        'scripts in Redis': of('scripts'),
        'reads of a room': of('reads'),
        'CPU of Redis, ms': of('redisCpu') / 1000,
        'CPU of the app, s': of('cpu') / 1e6,
      },
    ];
  });
  const worst = (name) => Math.max(...rounds.map((round) => round[name].scripts));
  return {
    tables: { [`${count} clients return, ${MISSED} missed each`]: Object.fromEntries(rows) },
    goals: [
      goal('scripts in Redis, away for seconds', worst('away for seconds'), 199),
      goal('the same, up to 9 minutes, in any order', worst('up to 9 minutes, in any order'), 199),
    ],
  };
}

function run({ name, ages }) {
  return withProcesses(async ({ redis, app, load }) => {
    const server = await redis();
    const { url } = server;
    const created = 1000 * Date.now() - 10 * MINUTE_US;
    const [, identity] = /master_replid:(\w+)/.exec(await server.client.info('replication'));
    await server.client.hset('sse:{hub:}:meta', {
      format: '1',
      server: identity,
      epoch: EPOCH,
      last: created,
      forgotten: created,
      bytes: '0',
      rooms: '',
    });
    const publisher = await app(0, { url });
    const leftAt = 1000 * Date.now();
    const data = { note: `~${'x'.repeat(85)}` };
    await publisher.ask('publishAwaited', {
      events: MISSED * rooms.length,
      window: 64,
      rooms,
      data,
    });
    const each = await app(0, { url });
    const clients = await load();
    // So that the code is warm.
    await clients.call('open', { port: each.port, count: 300, paths });
    await clients.call('close');
    const headers = Array.from({ length: count }, (_, n) => {
      const position = leftAt - Math.round(9 * MINUTE_US * ages(n));
      return { 'Last-Event-ID': formatCursor({ epoch: EPOCH, position }) };
    });
    const [before, redisCpu, cpu] = [await server.commands(), await server.cpu(), await each.cpu()];
    const start = performance.now();
    await clients.call('open', { port: each.port, count, paths, headers, window: 400 });
    const resumed = await clients.call('expect', { events: MISSED });
    const seconds = (performance.now() - start) / 1000;
    const after = await server.commands();
    const used = { cpu: (await each.cpu()) - cpu, redisCpu: (await server.cpu()) - redisCpu };
    await publisher.ask('publishAwaited', { events: rooms.length, window: 64, rooms, data });
    const { isExact, least, most } = await clients.call('expect', { events: MISSED + 1 });
    if (!resumed.isExact || !isExact) {
      throw new Error(`${name}: clients got ${least} to ${most} of ${MISSED + 1} events`);
    }
    const ran = (command) => (after[command] ?? 0) - (before[command] ?? 0);
    const reads = ran('xrange') + ran('xrevrange');
    return { seconds, scripts: ran('evalsha') + ran('eval'), reads, ...used };
  });
}
