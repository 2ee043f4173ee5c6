// Ten thousand clients return at once, as after a deployment, and each has missed twenty events.
//
// Measured: until each of the clients, in a hundred rooms, has its twenty events, none lost and
// none twice (an event more for each at the end shows that they are live); 400 of them knock at a
// time, as more would measure the kernel's queue of connections. Beside it: raw node:http that only
// accepts them (`raw`), one that also writes each the same twenty events, encoded beforehand (`raw,
// replay`), and a Nest handler that does as much by hand (`Nest by hand`): it keeps the frames of
// each room, and writes the client those after its last event ID. A fresh process for each server
// and round, in turns; the resident peak is sampled every 10 ms from before the first client. Not
// shown: a log on another machine; clients that come back over the seconds that `retry` spreads
// them.
import { compare, contestant, goal, median, race, readers, report } from './race.mjs';

const count = readers(10_000);
const ROUNDS = 3;
const MISSED = 20;
const rooms = Array.from({ length: 100 }, (_, n) => `room-${n}`);
const paths = rooms.map((room) => `/events?room=${room}`);

const CASES = {
  raw: { server: 'raw', missed: 0 },
  'raw, replay': { server: 'raw', options: { replay: MISSED }, missed: MISSED },
  ours: { server: 'ours', resumes: true, missed: MISSED },
  'ours, Fastify': {
    server: 'ours',
    options: { isFastify: true },
    resumes: true,
    missed: MISSED,
  },
  'Nest by hand': {
    server: 'by-hand',
    options: { hasHistory: true },
    resumes: true,
    missed: MISSED,
  },
  'Nest by hand, Fastify': {
    server: 'by-hand',
    options: { isFastify: true, hasHistory: true },
    resumes: true,
    missed: MISSED,
  },
};

async function run({ name, server, options, resumes, missed }) {
  const each = await contestant(name, { server, options });
  try {
    // So that the code is warm.
    await each.open({ count: 500, paths });
    await each.load('close');
    let headers;
    if (resumes) {
      await each.ask('publish', { turns: 1, rooms });
      headers = { 'Last-Event-ID': await each.ask('ask', 'position') };
      await each.ask('publish', { turns: MISSED, rooms });
    }
    await each.ask('memory');
    await each.ask('watchPeak');
    const cpuBefore = await each.ask('cpu');
    const start = performance.now();
    await each.open({ count, paths, headers, window: 400 });
    const resumed = await each.load('expect', { events: missed });
    const seconds = (performance.now() - start) / 1000;
    const cpu = ((await each.ask('cpu')) - cpuBefore) / count;
    const peakMiB = (await each.ask('peak')) / 2 ** 20;
    // The others send to all readers, whatever the room.
    await each.ask('publish', { turns: 1, rooms: server === 'ours' ? rooms : ['all'] });
    const { isExact, least, most } = await each.load('expect', { events: missed + 1 });
    if (!resumed.isExact || !isExact) {
      throw new Error(`${name}: readers got ${least} to ${most} of ${missed + 1} events`);
    }
    return { seconds, cpu, peakMiB };
  } finally {
    await each.stop();
  }
}

const cases = Object.entries(CASES).map(([name, rest]) => ({ name, ...rest }));
const rounds = await race(cases, ROUNDS, run);
const of = (figure) =>
  compare(
    rounds.map((round) =>
      Object.fromEntries(Object.entries(round).map(([name, figures]) => [name, figures[figure]])),
    ),
    'raw',
  );
const [seconds, cpu, peak] = [of('seconds'), of('cpu'), of('peakMiB')];
const table = Object.keys(CASES).map((name) => [
  name,
  {
    'time, × raw': seconds[name].ratio,
    'CPU, × raw': cpu[name].ratio,
    'peak, × raw': peak[name].ratio,
    seconds: seconds[name].figure,
    'CPU µs each': cpu[name].figure,
    'clients/s': count / median(rounds.map((round) => round[name].seconds)),
    'resident peak MiB': peak[name].figure,
  },
]);
report(
  'reconnect',
  { [`${count} clients return, ${MISSED} missed each`]: Object.fromEntries(table) },
  [
    goal('time ÷ raw, which only accepts', seconds.ours.ratio, 2.5),
    goal('the same on Fastify', seconds['ours, Fastify'].ratio, 3),
    goal('resident peak ÷ raw', peak.ours.ratio, 1.5),
  ],
);
