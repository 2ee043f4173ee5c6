// Runs the tests on another major of Nest, in a temporary copy that is deleted afterwards: `node
// tools/with-nest.mjs 11`, with arguments for jest after the version. The copy is of the files that
// git knows.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [version, ...jestArguments] = process.argv.slice(2);
if (version === undefined) {
  console.error('usage: node tools/with-nest.mjs <version of Nest> [arguments for jest]');
  process.exit(2);
}
const root = join(import.meta.dirname, '..');
const copy = mkdtempSync(join(tmpdir(), `nest-${version}-`));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));

const options = { cwd: root, encoding: 'utf8' };
const known = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard'],
  options,
);
for (const file of known.split('\n').filter(Boolean)) {
  cpSync(join(root, file), join(copy, file));
}
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// The command line of Nest builds: it is not there when an app runs, and has its own versions of
// TypeScript. The cache and the event emitter run on several majors of Nest.
const others = ['@nestjs/cli', '@nestjs/cache-manager', '@nestjs/event-emitter'];
const nest = Object.keys(devDependencies)
  .filter((name) => name.startsWith('@nestjs/') && !others.includes(name))
  .map((name) => `${name}@${version}`);

for (const args of [
  ['install', '--save-dev', '--no-audit', '--no-fund', '--prefer-offline', ...nest],
  // Without looking for services: suites that lack one skip themselves, or fail in CI.
  ['test', '--ignore-scripts', '--', ...jestArguments],
]) {
  const { status } = spawnSync('npm', args, { cwd: copy, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
