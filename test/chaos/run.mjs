// Runs the adversary once: `npm run test:chaos`. test/README.md says what it does and how to read
// what it prints.
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readOptions } from './options.mjs';
import { Random } from './random.mjs';
import { hasRedis } from './redis-control.mjs';
import { failuresOf, summarize, tableOf } from './report.mjs';
import { Schedule } from './schedule.mjs';
import { World } from './world.mjs';

const options = readOptions();
const { log, seconds, seed, pace, without, only } = options;
if (log === 'redis' && !hasRedis()) {
  console.error('redis-server is missing: install it, or run with CHAOS_LOG=memory');
  process.exit(2);
}

const given = Object.entries(process.env).filter(
  ([name]) => name.startsWith('CHAOS_') && name !== 'CHAOS_SEED',
);
const again = [`CHAOS_SEED=${seed}`, ...given.map(([name, value]) => `${name}=${value}`)].join(' ');
console.log(`The same faults again: ${again} npm run test:chaos`);
const startedAt = Date.now();
const verbose = process.env.CHAOS_VERBOSE === '1';
const note = (text) =>
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${text}`);
const random = new Random(seed);
const world = new World({ options, random, log: verbose ? note : undefined });
for (const signal of ['SIGINT', 'SIGTERM']) {
  // What was started ends with this process.
  process.once(signal, () => process.exit(130));
}

await world.start();
if (world.redis?.hasClocks === false) {
  note('no C compiler: replica-behind sets the positions of the old master ahead instead');
}
const schedule = new Schedule({
  world,
  random: random.fork('schedule'),
  tracks:
    log === 'redis' ? ['redis', 'apps', 'redis-links', 'client-links'] : ['apps', 'client-links'],
  pace,
  without,
  only,
  log: verbose ? note : undefined,
});
schedule.start();
const progress = setInterval(() => {
  const { published, acknowledged, received } = world.oracle.progress();
  note(`${published} published, ${acknowledged} acknowledged, received ${received} times`);
}, 15_000);
await sleep(seconds * 1000);
await schedule.stop();
clearInterval(progress);
note('no faults any more');
const stuck = await world.calmDown();
note('done');
const summary = summarize({ options, world, schedule, stuck });
const failures = failuresOf(summary);
await world.stop();

console.log(`\n${tableOf(summary)}\n`);
for (const { name, end, said } of summary.died) console.log(`${name} died (${end}):\n${said}\n`);
for (const [kind, list] of Object.entries(summary.examples)) {
  for (const example of list) console.log(`${kind}: ${JSON.stringify(example)}`);
}
for (const { kind, why } of summary.failedFaults) {
  console.log(`this fault could not be done: ${kind}: ${why}`);
}
const json = JSON.stringify({ ...summary, failures });
if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, json);
console.log(`JSON: ${json}`);
console.log(
  failures.length === 0
    ? `Passed, seed ${seed}`
    : `FAILED: ${failures.join(', ')}. Again: ${again}`,
);
process.exit(failures.length === 0 ? 0 : 1);
