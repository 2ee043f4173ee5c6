// The contestants that need more than Node: what each needs is looked for, and its source is built.
// One that cannot take part is left out, and why is printed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contestant } from './race.mjs';
import { isInstalled as hasNchan } from './servers/nchan.mjs';

const peers = join(import.meta.dirname, 'servers', 'peers');
const oven = join(import.meta.dirname, '..', 'node_modules', '@oven');

const runs = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Contestants that can take part, each as a function that starts it. */
export function foreign() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-foreign-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const found = [];
  const add = (name, command) =>
    found.push(() => contestant(name, { server: 'foreign', options: { command } }));
  const leaveOut = (name, why) => console.log(`${name} is left out: ${why}`);
  const build = (name, source, ...compiler) => {
    const binary = join(folder, source.replace('.', '-'));
    const [command, ...args] = [...compiler, '-o', binary, join(peers, source)];
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status === 0) add(name, [binary]);
    else leaveOut(name, `${command} cannot build it: ${firstFault(stderr)}`);
  };

  if (hasNchan()) found.push(() => contestant('nchan'));
  else leaveOut('nchan', 'nginx with its module (Debian: libnginx-mod-nchan) is not here');

  const cc = ['cc', 'gcc', 'clang'].find((name) => runs(name, '--version'));
  if (cc === undefined) leaveOut('C send(2)', 'no cc, gcc or clang is here');
  else build('C send(2)', 'floor.c', cc, '-O2');

  if (!runs('go', 'version')) leaveOut('go net/http', 'no go is here');
  else build('go net/http', 'net-http.go', 'go', 'build');

  const bun = findBun();
  if (bun === undefined) {
    leaveOut('bun', 'it is not here; npm install --no-save --ignore-scripts bun');
  } else {
    for (const way of ['sse', 'websocket']) {
      add(`bun ${way}`, [bun, join(peers, 'bun.mjs'), way]);
    }
  }
  return found;
}

/** The binary of its npm package, whose own script is not needed, or the one of the system. */
function findBun() {
  const packages = existsSync(oven) ? readdirSync(oven) : [];
  return [...packages.map((name) => join(oven, name, 'bin', 'bun')), 'bun'].find((file) =>
    runs(file, '--version'),
  );
}

/** Go begins with the name of the package. */
const firstFault = (text) => text.split('\n').find((line) => !line.startsWith('#'));
