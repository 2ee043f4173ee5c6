// npm run bench [-- NAME …]: runs the benchmarks of this folder, or those named. See README.md for
// the method.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { machine } from './race.mjs';
import { pinning } from './rpc.mjs';

const folder = import.meta.dirname;
const all = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.mjs'))
  .map((name) => name.replace('.bench.mjs', ''));
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`No benchmark named ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(1);
}
console.log(`${machine}; ${pinning}`);
// A benchmark itself keeps one to two cores busy.
const [load] = loadavg();
if (load > 1.5 * availableParallelism()) {
  console.log(
    `the load average is ${load.toFixed(1)}: other work shares the cores. A server that comes late ` +
      'joins the events of several turns, so that its figure looks better than it is',
  );
}
for (const name of chosen.length > 0 ? chosen : all) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(
    process.execPath,
    ['--expose-gc', join(folder, `${name}.bench.mjs`)],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) process.exit(status ?? 1);
}
