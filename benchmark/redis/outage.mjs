// Redis is away for a while (30 s, or AWAY_S), with 1 000 clients and events that are tried again
// until they are accepted.
//
// Once stopped (SIGSTOP: nobody answers, and connections stay open), once killed and started again
// on its append-only file, which is on the disk with each answer (`appendfsync always`). One app
// publishes (core 1): 50 events per second become due, also while Redis is away, and each is tried
// again after 50 to 150 ms, with its `key`, until it is accepted. The clients are at another app
// (core 0, with Redis), in ten rooms; they know each event by its number. Counted are clients that
// were disconnected, accepted events that a client did not get, and events that came twice. (Redis
// may take what was sent to it before, so clients may have an event before its publisher knows.)
// From the return of Redis, which is SIGCONT or the first answer to PING: until the first event was
// accepted; until every client had got an event that was accepted after it; and until every client
// had got all events that were due before it, some 1 500.
import { setTimeout as sleep } from 'node:timers/promises';
import { goal } from '../race.mjs';
import { now, withProcesses } from './processes.mjs';

const AWAY_S = Number(process.env.AWAY_S ?? 30);
const CLIENTS = 1_000;
const PER_SECOND = 50;
const BEFORE_S = 3;
const AFTER_S = 5;
const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);
const paths = rooms.map((room) => `/events?room=${room}`);

export async function outage() {
  const rows = {
    stopped: await run(async (redis) => {
      redis.pause();
      await sleep(1000 * AWAY_S);
      redis.resume();
      return now();
    }),
    'killed and started': await run(async (redis) => {
      await redis.kill();
      await sleep(1000 * AWAY_S);
      await redis.restart();
      return now();
    }),
  };
  const total = (figure) => Object.values(rows).reduce((sum, row) => sum + row[figure], 0);
  const worst = Math.max(...Object.values(rows).map((row) => row['all caught up, s']));
  return {
    tables: { [`Redis is away for ${AWAY_S} s, ${CLIENTS} clients`]: rows },
    goals: [
      goal('clients disconnected', total('disconnected'), 0),
      goal('accepted events lost, or doubled, at a client', total('lost') + total('doubled'), 0),
      goal('seconds until all have caught up', worst, 2),
    ],
  };
}

function run(away) {
  return withProcesses(async ({ redis, app, child }) => {
    const server = await redis({ isDurable: true });
    const { url } = server;
    const publisher = await app(1, { url, isQuiet: true });
    const reading = await app(0, { url });
    const clients = await child('clients.mjs', 1);
    await clients.call('open', { port: reading.port, count: CLIENTS, paths });
    await publisher.ask('beginTrying', { perSecond: PER_SECOND, rooms });
    await sleep(1000 * BEFORE_S);
    const from = now();
    const returned = await away(server);
    await sleep(1000 * AFTER_S);
    const events = await publisher.ask('endTrying');
    const each = CLIENTS / rooms.length;
    const seen = await clients.call('expect', { events: events.length, each, timeoutMs: 30_000 });

    const { received, lastAt } = seen;
    const lost = received.reduce((sum, count) => sum + Math.max(0, each - count), 0);
    const since = (list) => (Math.max(...list) - returned) / 1000;
    const due = events.flatMap(({ at }, n) => (at < returned ? [n] : []));
    const accepted = events.flatMap(({ acceptedAt }, n) => (acceptedAt > returned ? [n] : []));
    // Of each room the first that came to all its clients after the return.
    const firstOfRooms = rooms.map((_, room) =>
      Math.min(...accepted.filter((n) => n % rooms.length === room).map((n) => lastAt[n])),
    );
    return {
      events: events.length,
      'accepted meanwhile': events.filter(
        ({ acceptedAt }) => acceptedAt > from + 100 && acceptedAt < returned,
      ).length,
      disconnected: seen.disconnected,
      lost,
      doubled: seen.doubled,
      gaps: seen.gaps,
      'attempts per event': events.reduce((sum, { attempts }) => sum + attempts, 0) / events.length,
      'first accepted, s':
        (Math.min(...accepted.map((n) => events[n].acceptedAt)) - returned) / 1000,
      'all heard one, s': since(firstOfRooms),
      'all accepted, s': since(due.map((n) => events[n].acceptedAt)),
      'all caught up, s': since(due.map((n) => lastAt[n])),
    };
  });
}
