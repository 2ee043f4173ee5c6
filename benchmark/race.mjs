// What the races have in common: contestants, rounds, and the report.
import { execSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pinning, start } from './rpc.mjs';

const folder = import.meta.dirname;
const SERVER_CORE = 0;
export const LOAD_CORE = Math.min(1, availableParallelism() - 1);

/** Which CPU, Node and day the figures are of. */
export const machine = [
  cpus()[0]?.model.trim(),
  `${availableParallelism()} cores`,
  `Node ${process.version}`,
  new Date().toISOString().slice(0, 10),
].join(', ');

/** As many readers as wanted, or as this machine lets one process open. */
export function readers(wanted) {
  const limit = execSync('ulimit -Hn', { shell: '/bin/sh' }).toString().trim();
  if (limit === 'unlimited' || Number(limit) >= wanted + 500) return wanted;
  const possible = Math.max(100, Number(limit) - 500);
  console.log(
    `open files are limited to ${limit}: ${possible} readers instead of ${wanted}; raise it with \`ulimit -n\``,
  );
  return possible;
}

/**
 * The head of a WebSocket's handshake. The key is the one of RFC 6455; nobody looks at the
 * answer's.
 */
export const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** A server and the clients of it, each in a process of its own. */
export async function contestant(
  name,
  { server = name, options = {}, flags = [], load: clients = 'load.mjs' } = {},
) {
  const main = await start(join(folder, 'servers', 'main.mjs'), {
    core: SERVER_CORE,
    args: [server, JSON.stringify(options)],
    flags: ['--expose-gc', ...flags],
  });
  const load = await start(join(folder, clients), { core: LOAD_CORE, flags });
  const port = await main.call('port');
  return {
    name,
    port,
    /** Stopped, a server takes no time from the others, such as for keep-alives. */
    freeze: () => process.kill(main.pid, 'SIGSTOP'),
    thaw: () => process.kill(main.pid, 'SIGCONT'),
    ask: (call, ...args) => main.call(call, ...args),
    load: (call, ...args) => load.call(call, ...args),
    open: ({ paths = ['/events'], ...rest }) => load.call('open', { port, paths, ...rest }),
    async stop() {
      await load.stop();
      await main.stop();
    },
  };
}

/** All of them at once, and stopped in any case. */
export async function withContestants(contestants, use) {
  const all = await Promise.all(contestants);
  try {
    return await use(all);
  } finally {
    await Promise.all(all.map((each) => each.stop()));
  }
}

/**
 * As a turn of `race()`: with the other contestants stopped, and when what this one had to catch up
 * with is done.
 */
export function alone(contestants, turn) {
  return async (each, round) => {
    for (const other of contestants) if (other !== each) other.freeze();
    try {
      await sleep(300);
      return await turn(each, round);
    } finally {
      for (const other of contestants) other.thaw();
    }
  };
}

/**
 * Takes turns: in each round every contestant once, each round beginning with another. Answers the
 * turns' results.
 */
export async function race(contestants, rounds, turn) {
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const result = {};
    for (let n = 0; n < contestants.length; n++) {
      const each = contestants[(n + round) % contestants.length];
      result[each.name] = await turn(each, round);
    }
    results.push(result);
  }
  return results;
}

/**
 * What one turn takes for each event that reached a reader: CPU microseconds of the server, and
 * bytes on the wire with their chunks or frames. `undefined` when not all events did.
 */
export async function perDelivery(each, { readers: count, perReader, ...publish }) {
  await each.load('reset');
  const before = await each.ask('cpu');
  await each.ask('publish', publish);
  const { isExact, least, most, bytes } = await each.load('expect', { events: perReader });
  const after = await each.ask('cpu');
  const deliveries = count * perReader;
  if (isExact) return { cpu: (after - before) / deliveries, bytes: bytes / deliveries };
  console.log(`${each.name}: readers got ${least} to ${most} of ${perReader} events; no figure`);
  return undefined;
}

export const cpuPerDelivery = async (each, publish) => (await perDelivery(each, publish))?.cpu;

export function median(list) {
  const sorted = list.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The figure of each contestant, and by how much `base` is its multiple: the median of the ratios
 * within each round.
 */
export function compare(rounds, base) {
  const rows = {};
  for (const name of Object.keys(rounds[0])) {
    const complete = rounds.filter((round) => round[name] !== undefined && round[base]);
    rows[name] = {
      ratio: median(complete.map((round) => round[name] / round[base])),
      figure: median(rounds.map((round) => round[name])),
    };
  }
  return rows;
}

const short = (value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);

/** A figure that was aimed at, and whether it was reached: `goal('× raw', 1.08, 1.15)`. */
export function goal(what, value, max) {
  // One digit more than the tables have, as what is just missed should not read as reached.
  const exact = (figure) => Number(figure.toPrecision(4));
  return { goal: `${what} ≤ ${exact(max)}`, measured: exact(value), reached: value <= max };
}

/** Prints the tables and the goals, and writes everything to `results/NAME.json`. */
export function report(name, tables, goals = []) {
  for (const [title, rows] of Object.entries(tables)) {
    const printed = Object.entries(rows).map(([row, figures]) => [
      row,
      Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, short(value)])),
    ]);
    console.log(`\n${title}`);
    console.table(Object.fromEntries(printed));
  }
  for (const { goal: text, measured, reached } of goals) {
    console.log(`${reached ? 'reached' : 'MISSED '}  ${text}: ${measured}`);
  }
  const results = join(folder, 'results');
  mkdirSync(results, { recursive: true });
  const result = { machine, pinning, tables, goals };
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}

/**
 * CPU and bytes per delivery of all, as ratios to `base`: the medians of some rounds after one that
 * warms up.
 */
export async function raceDeliveries(all, base, rounds, publish, warmUp = publish) {
  const [, ...results] = await race(all, rounds + 1, (each, round) =>
    perDelivery(each, round === 0 ? warmUp : publish),
  );
  const pick = (figure) =>
    results.map((round) =>
      Object.fromEntries(all.map(({ name }) => [name, round[name]?.[figure]])),
    );
  const rows = compare(pick('cpu'), base);
  const sizes = pick('bytes');
  for (const name of Object.keys(rows)) {
    rows[name].bytes = median(sizes.map((round) => round[name]));
  }
  return rows;
}

/** Those rows as a table of the report. */
export function deliveryTable(rows) {
  return Object.fromEntries(
    Object.entries(rows).map(([name, { ratio, figure, bytes }]) => [
      name,
      { '× ours': ratio, 'µs per delivery': figure, 'bytes per delivery': bytes },
    ]),
  );
}
