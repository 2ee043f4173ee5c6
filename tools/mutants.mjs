// Runs the model against each mutant of the library and fails if one of them passes. `npm run
// test:mutants`; MODEL_RUNS and MODEL_SEED as for the model; the names of mutants as arguments
// choose some.
import { spawnSync } from 'node:child_process';
import { MUTANTS } from '../test/model/mutants.mjs';
import config from '../jest.config.js';

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
if (unknown.length > 0) {
  console.error(`no such mutant: ${unknown.join(', ')}`);
  process.exit(2);
}
const mutants = MUTANTS.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
const [[files, [, options]]] = Object.entries(config.transform);
const mutating = {
  ...config,
  rootDir: process.cwd(),
  transform: { [files]: ['<rootDir>/test/model/mutating-transform.mjs', options] },
};

function run(name, spec) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--config',
      JSON.stringify(mutating),
      '--bail',
      '--silent',
      `test/model/${spec}.spec`,
    ],
    {
      env: {
        ...process.env,
        MUTANT: name,
        MODEL_RUNS: process.env.MODEL_RUNS ?? '1000',
        ROOMS_RUNS: process.env.ROOMS_RUNS ?? '300',
        PRESENCE_RUNS: process.env.PRESENCE_RUNS ?? '40',
        RUNS_RUNS: process.env.RUNS_RUNS ?? '80',
      },
      encoding: 'utf8',
    },
  );
  return { passed: status === 0, output: stdout + stderr };
}

const SPECS = ['resume', 'resume-redis', 'state', 'rooms', 'presence', 'runs'];
for (const spec of SPECS) {
  const { passed, output } = run('', spec);
  if (passed) continue;
  console.error(`The model fails without any mutant:\n${output}`);
  process.exit(1);
}
const specsOf = ({ spec }) => (spec === undefined ? ['resume', 'resume-redis'] : [spec]);

let found = 0;
let alive = 0;
for (const mutant of mutants) {
  for (const spec of specsOf(mutant)) {
    const { passed, output } = run(mutant.name, spec);
    // A mutant that does not even load would be found by anything.
    const isFound =
      !passed &&
      /\+ +"(missed|doubled|inverted|needless|endless|withheld|different|older|gaps|wrongEnds|conditions|foreign|forgotten)"|(?:PRESENCE|RUNS)_SEED=/.test(
        output,
      );
    console.log(`${isFound ? 'found ' : 'ALIVE '} ${mutant.name} (${spec})`);
    if (isFound) found++;
    else {
      alive++;
      console.error(output);
    }
  }
}
console.log(`${found} passed, ${alive} failed`);
if (alive > 0) process.exitCode = 1;
