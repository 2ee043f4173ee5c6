// A simulation, not a measurement: who comes back when, after a deploy of 100 processes with 10 000
// connections each.
//
// Model: a process answers `ACCEPTS` connects per second, one after the other; the rest wait in the
// order they came. A client that has waited 10 s gives up and tries again after its retry; its
// place in the queue is still worked off, because Node reads a request before it sees that the
// client has gone. A retry is drawn when a stream begins, and kept until the next begins, as a
// browser does. The load balancer gives a connect to one of the processes that are up, at random;
// while none is, it refuses, and the client tries again after its retry. A process is down for 10
// s. In a rolling deploy the next one leaves when this one is up; `all at once` is a power cycle,
// or a deploy that does not roll. A process that ends its streams over some time gets no new ones
// meanwhile. Where it says so, the balancer gives a connect to the process with the fewest
// connections, those that wait included. Method: time goes in steps of 10 ms, and what falls into a
// step happens at its beginning. There is no event for each request in a queue: with a constant
// rate and first come, first served, a connect's wait is known when it comes, from the time at
// which the process will be done with those before it. So the steps round times to 10 ms, and
// change nothing else. Counted as connects are those that reach a process; the refused ones are
// told beside them. The rates are those of the busiest second, wherever it begins. The time without
// a stream is that of each stream lost, so a client may have it several times. Seeded: the seed is
// printed, `SEED=…` gives it back. `ACCEPTS=…` is another rate than that of `npm run bench --
// reconnect`, `RETRY=2000-22000` another range than the library's default; with either of them no
// plot is drawn. Not shown: what else the processes do, so a rate that falls under load or while a
// process is cold; TLS, where the balancer ends it; the balancer's own limits; guards that ask a
// database; clients that notice late that their stream is gone; a native `EventSource` for which
// any answer but 200, such as a balancer's 503, is the end; reloads by hand.
import { plotLines } from './plot-lines.mjs';
import { report } from './race.mjs';

const PROCESSES = 100;
const PER_PROCESS = 10_000;
const CLIENTS = PROCESSES * PER_PROCESS;
const DOWN_MS = 10_000;
const GIVE_UP_MS = 10_000;
const ACCEPTS = Number(process.env.ACCEPTS ?? 2_100);
const SLOW_ACCEPTS = 500;
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const [MIN_MS, MAX_MS] = (process.env.RETRY ?? '2000-5000').split('-').map(Number);

if (!(ACCEPTS > 0)) throw new Error(`ACCEPTS: expected connects per second, got ${ACCEPTS}`);
if (!Number.isSafeInteger(SEED)) throw new Error(`SEED: expected an integer, got ${SEED}`);
if (!(MIN_MS > 0 && MIN_MS <= MAX_MS && MAX_MS <= 30_000)) {
  throw new Error(
    `RETRY: expected two numbers up to 30000, as in 2000-5000, got ${process.env.RETRY}`,
  );
}

const STEP_MS = 10;
const STEPS_PER_SECOND = 1000 / STEP_MS;
/**
 * Steps that can be planned ahead: more than the longest drain, and than giving up and the longest
 * retry.
 */
const AHEAD = 4096;
const NOWHERE = -1;

const fixed = { minMs: 3_000, maxMs: 3_000 };
const jittered = { minMs: MIN_MS, maxMs: MAX_MS };
const range = `retry ${MIN_MS / 1000}-${MAX_MS / 1000} s`;
const WAYS = {
  'cut, retry 3 s': { drainMs: 0, retry: fixed },
  [`cut, ${range}`]: { drainMs: 0, retry: jittered },
  [`drain 5 s, ${range}`]: { drainMs: 5_000, retry: jittered },
  [`drain 30 s, ${range}`]: { drainMs: 30_000, retry: jittered },
};

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * What is due at a step, as lists of clients that are threaded through one array: a client waits
 * for one thing at a time.
 */
class Agenda {
  waiting = 0;
  #first = new Int32Array(AHEAD).fill(-1);
  #next = new Int32Array(CLIENTS);

  add(client, step) {
    const slot = step % AHEAD;
    this.#next[client] = this.#first[slot];
    this.#first[slot] = client;
    this.waiting++;
  }

  /** `use` may add to later steps, not to this one. */
  take(step, use) {
    const slot = step % AHEAD;
    let client = this.#first[slot];
    this.#first[slot] = -1;
    while (client !== -1) {
      const next = this.#next[client];
      this.waiting--;
      use(client);
      client = next;
    }
  }
}

/** The most within a second, of something that is counted in steps. */
class BusiestSecond {
  most = 0;
  #steps = new Uint32Array(STEPS_PER_SECOND);
  #sum = 0;

  add(step, count) {
    const slot = step % STEPS_PER_SECOND;
    this.#sum += count - this.#steps[slot];
    this.#steps[slot] = count;
    if (this.#sum > this.most) this.most = this.#sum;
  }
}

/** When which process leaves, is down and is up again, in steps. */
function schedule(isRolling, drainMs) {
  const drain = drainMs / STEP_MS;
  const turn = drain + DOWN_MS / STEP_MS;
  return Array.from({ length: PROCESSES }, (_, process) => {
    const leaves = isRolling ? process * turn : 0;
    return { process, leaves, stops: leaves + drain, returns: leaves + turn };
  });
}

function simulate({ drainMs, retry, isRolling = true, accepts = ACCEPTS, isFewest = false }) {
  const random = generator(SEED);
  const agenda = new Agenda();
  const drawRetry = () => retry.minMs + Math.floor(random() * (retry.maxMs - retry.minMs + 1));

  /**
   * Of each client: its process, when its stream begins or began, since when it has none, and how
   * long it waits to try again.
   */
  const place = Int16Array.from({ length: CLIENTS }, (_, client) => client % PROCESSES);
  const beginsAt = new Float64Array(CLIENTS).fill(-1);
  const lostAt = new Float64Array(CLIENTS).fill(NaN);
  const retryMs = Uint16Array.from({ length: CLIENTS }, drawRetry);
  /**
   * Of each process: its connections, those that wait included, and when it is done with those that
   * have come.
   */
  const size = new Uint32Array(PROCESSES).fill(PER_PROCESS);
  const freeAt = new Float64Array(PROCESSES);
  const arrived = new Uint32Array(PROCESSES);
  let up = Array.from({ length: PROCESSES }, (_, process) => process);

  const busiest = Array.from({ length: PROCESSES }, () => new BusiestSecond());
  const busiestOfAll = new BusiestSecond();
  const perSecond = [];
  const without = new Uint32Array(60_000);
  const seen = { queue: 0, fullest: PER_PROCESS, givenUp: 0, refused: 0 };

  const choose = () => {
    if (!isFewest) return up[Math.floor(random() * up.length)];
    let fewest = up[0];
    for (const process of up) if (size[process] < size[fewest]) fewest = process;
    return fewest;
  };
  const tryAgain = (client, now) =>
    agenda.add(client, Math.max(1, Math.round(retryMs[client] / STEP_MS)) + now / STEP_MS);
  const noteEpisode = (client) => {
    if (Number.isNaN(lostAt[client])) return;
    const steps = Math.round((beginsAt[client] - lostAt[client]) / STEP_MS);
    without[Math.min(steps, without.length - 1)]++;
  };

  function connect(client, now) {
    if (up.length === 0) {
      seen.refused++;
      tryAgain(client, now);
      return;
    }
    const process = choose();
    arrived[process]++;
    freeAt[process] = Math.max(freeAt[process], now) + 1000 / accepts;
    seen.queue = Math.max(seen.queue, ((freeAt[process] - now) * accepts) / 1000);
    if (freeAt[process] - now > GIVE_UP_MS) {
      seen.givenUp++;
      tryAgain(client, now + GIVE_UP_MS);
      return;
    }
    place[client] = process;
    beginsAt[client] = freeAt[process];
    retryMs[client] = drawRetry();
    size[process]++;
    seen.fullest = Math.max(seen.fullest, size[process]);
  }

  function disconnect(client, now) {
    size[place[client]]--;
    place[client] = NOWHERE;
    // Else it still waited for its stream, and goes on without.
    if (beginsAt[client] <= now) {
      noteEpisode(client);
      lostAt[client] = now;
    }
    tryAgain(client, now);
  }

  const turns = schedule(isRolling, drainMs);
  const end = turns.at(-1).returns;
  for (let step = 0; step <= end || agenda.waiting > 0; step++) {
    const now = step * STEP_MS;
    for (const { process, leaves, returns } of turns) {
      if (step === returns) {
        freeAt[process] = now;
        up.push(process);
      }
      if (step !== leaves) continue;
      up = up.filter((other) => other !== process);
      for (let client = 0; client < CLIENTS; client++) {
        if (place[client] !== process) continue;
        if (drainMs === 0) disconnect(client, now);
        // From the next step on, as this one's list is not read yet.
        else agenda.add(client, step + 1 + Math.floor((random() * drainMs) / STEP_MS));
      }
    }
    agenda.take(step, (client) => {
      if (place[client] === NOWHERE) connect(client, now);
      else disconnect(client, now);
    });
    let all = 0;
    for (let process = 0; process < PROCESSES; process++) {
      all += arrived[process];
      busiest[process].add(step, arrived[process]);
    }
    arrived.fill(0);
    busiestOfAll.add(step, all);
    const second = Math.floor(now / 1000);
    perSecond[second] = (perSecond[second] ?? 0) + all;
  }
  for (let client = 0; client < CLIENTS; client++) noteEpisode(client);
  const back = size.reduce((sum, count) => sum + count, 0);
  if (back !== CLIENTS) throw new Error(`${back} of ${CLIENTS} clients have a stream at the end`);

  const episodes = without.reduce((sum, count) => sum + count, 0);
  const quantile = (q) => {
    let below = 0;
    return (without.findIndex((count) => (below += count) >= q * episodes) * STEP_MS) / 1000;
  };
  return {
    row: {
      'connects/s': busiestOfAll.most,
      'to one process': Math.max(...busiest.map(({ most }) => most)),
      'longest queue': Math.round(seen.queue),
      'without p50 s': quantile(0.5),
      'without p99 s': quantile(0.99),
      'given up': seen.givenUp,
      refused: seen.refused,
      'fullest process': seen.fullest,
      'deploy s': end / STEPS_PER_SECOND,
    },
    perSecond,
  };
}

const CASES = {
  'a rolling deploy': {},
  'a rolling deploy, fewest connections first': { isFewest: true },
  'all at once': { isRolling: false },
  [`all at once, ${SLOW_ACCEPTS} connects/s for each process`]: {
    isRolling: false,
    accepts: SLOW_ACCEPTS,
  },
};

console.log(`SEED=${SEED} ACCEPTS=${ACCEPTS} RETRY=${MIN_MS}-${MAX_MS}`);
const series = {};
const tables = {
  parameters: {
    seed: { value: String(SEED) },
    'connects/s for each process': { value: String(ACCEPTS) },
    'jittered retry ms': { value: `${MIN_MS}-${MAX_MS}` },
  },
};
for (const [title, options] of Object.entries(CASES)) {
  const results = Object.entries(WAYS).map(([way, own]) => [way, simulate({ ...own, ...options })]);
  const of = (figure) => Object.fromEntries(results.map(([way, result]) => [way, result[figure]]));
  tables[`${CLIENTS} connections on ${PROCESSES} processes, ${title}`] = of('row');
  series[title] = of('perSecond');
}
report('storm-sim', tables);
if (process.env.ACCEPTS === undefined && process.env.RETRY === undefined) {
  plotLines(
    'storm',
    `Connects per second, ${CLIENTS / 1e6} million clients on ${PROCESSES} processes`,
    [
      { title: 'a rolling deploy, its first 80 s', seconds: 80, lines: series['a rolling deploy'] },
      { title: 'all at once', seconds: 60, lines: series['all at once'] },
    ],
  );
}
