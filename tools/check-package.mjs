// After a build: checks the package as npm would publish it. What is in it, what publint and attw
// say, what its types refer to, and whether each entry point loads and serves a stream in plain
// Node, by `import` and by `require`, on each supported major of Nest. Jest forgives what Node does
// not. Of the package for front ends, what publint and attw say;
// test/package/client-package.spec.ts has the rest.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const NEST_VERSIONS = ['11.2.10', '12.5.1'];
/** Peers that have a major for each of Nest, where it is not the one of `devDependencies`. */
const PEERS_OF_NEST = { '11.2.10': { '@nestjs/swagger': '11.4.7' } };
/**
 * Of what goes to browsers with every page, minified and by gzip; with the client, which is a part
 * of each. The other entry points stay on the server.
 */
const MAX_BYTES = {
  './client': 7_600,
  './client/tabs': 14_100,
  './shared': 9_100,
  './react': 9_200,
};
const ATTW_OPTIONS = ['--profile', 'strict', '--no-definitely-typed', '--format', 'ascii']
  .concat(['--no-emoji', '--no-color']); // prettier-ignore
/** What npm packs besides the two trees. */
const FILES = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'];

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const entries = Object.keys(manifest.exports).filter((name) => name !== './package.json');
const optionalPeers = Object.entries(manifest.peerDependenciesMeta ?? {})
  .filter(([, { optional }]) => optional)
  .map(([name]) => name);

const exec = promisify(execFile);
/** What the command prints, also in the error if it fails. */
async function run(command, args, cwd) {
  try {
    return (await exec(command, args, { cwd, timeout: 60_000 })).stdout;
  } catch (error) {
    throw new Error([error.stdout, error.stderr].join('').trim() || error.message, {
      cause: error,
    });
  }
}

let failures = 0;
/** One line per check. */
async function check(title, test) {
  try {
    const detail = await test();
    console.log(`ok    ${title}${detail === undefined ? '' : ` (${detail})`}`);
  } catch (error) {
    failures++;
    console.log(`FAIL  ${title}: ${error.message}`);
  }
}

function expectNone(list, what) {
  if (list.length > 0) throw new Error(`${what}: ${list.join(', ')}`);
}

const temporary = await mkdtemp(join(tmpdir(), `${manifest.name}-`));
try {
  await checkAll();
} finally {
  await rm(temporary, { recursive: true, force: true });
}
if (failures > 0) process.exitCode = 1;

/** The tarball of a folder, as npm would publish it, and the paths of what is in it. */
async function pack(folder) {
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary];
  const packed = JSON.parse(await run('npm', packing, folder));
  const [{ filename, files }] = Array.isArray(packed) ? packed : Object.values(packed);
  return { tarball: join(temporary, filename), paths: files.map(({ path }) => path) };
}

async function checkAll() {
  const { tarball, paths } = await pack(root);
  const client = await pack(join(root, 'dist/client-package'));

  await check('the package holds only lib, its build and the papers', async () => {
    const known = (path) => FILES.includes(path) || /^(dist\/)?lib\//.test(path);
    expectNone(
      paths.filter((path) => !known(path)),
      'there is more; see `files` in package.json',
    );
    // Where the declaration maps and source maps lead.
    const isPage = (path) => /^(dist\/)?lib\/[^/]+\/page\/.*\./.test(path);
    const lost = paths
      .filter((path) => /^dist\/lib\/.*(?<!\.d)\.c?ts$|^lib\/.*(?<!\.c?ts)$/.test(path))
      .concat(
        paths
          .filter((path) => /^dist\/lib\/.*\.c?js$/.test(path) && !isPage(path))
          .map((path) => path.replace(/^dist\/(.*)js$/, '$1ts'))
          .filter((path) => !paths.includes(path)),
      );
    expectNone(lost, 'the build and lib/ do not match; build again');
    const lib = await readdir(join(root, 'lib'), { recursive: true });
    const pages = lib.map((path) => posix.join('lib', path)).filter(isPage);
    expectNone(
      pages.filter((path) => !paths.includes(`dist/${path}`)),
      'pages are not copied; see `assets` in nest-cli.json',
    );
    return `${paths.length} files`;
  });
  for (const [name, packed] of [
    [manifest.name, tarball],
    [`${manifest.name}-client`, client.tarball],
  ]) {
    await check(`publint --strict of ${name}`, async () => {
      await run('node_modules/.bin/publint', ['run', packed, '--strict'], root);
    });
    await check(`attw of ${name}, also for compilers without \`exports\``, async () => {
      await run('node_modules/.bin/attw', [packed, ...ATTW_OPTIONS], root);
    });
  }
  await check('the types of the root refer to what npm installs, and to Node only', async () => {
    const peers = Object.keys(manifest.peerDependencies);
    const allowed = [
      ...Object.keys(manifest.dependencies ?? {}),
      ...peers.filter((name) => !optionalPeers.includes(name)),
    ];
    const foreign = [...(await packagesInTypes('dist/lib/index.d.ts'))]
      .filter(([name]) => !name.startsWith('node:') && name !== 'node')
      .filter(([name]) => !allowed.includes(packageOf(name)));
    expectNone(
      foreign.map(([name, file]) => `${name} in ${file}`),
      'users would have to install',
    );
  });
  await check('the types show no member that is @internal', async () => {
    const types = paths.filter((path) => path.endsWith('.d.ts'));
    const marked = await Promise.all(
      types.map(async (path) => (await readFile(join(root, path), 'utf8')).includes('@internal')),
    );
    expectNone(
      types.filter((_path, n) => marked[n]),
      'see `stripInternal` in tsconfig.build.json',
    );
  });
  for (const entry of entries) {
    await check(`the size of ${posix.join(manifest.name, entry)}`, () => checkSize(entry));
  }
  for (const version of NEST_VERSIONS) await checkOnNest(version, tarball);
}

/** As a bundler makes it of the built files, without what is in other packages. */
async function checkSize(entry) {
  const max = MAX_BYTES[entry];
  const { outputFiles } = await build({
    entryPoints: [join(root, manifest.exports[entry].default.default)],
    bundle: true,
    minify: true,
    format: 'esm',
    // Which makes it an error where the client imports what only Node has.
    platform: max === undefined ? 'node' : 'browser',
    packages: max === undefined ? 'external' : 'bundle',
    // A page has it already.
    external: max === undefined ? [] : ['react'],
    write: false,
  });
  const [{ contents }] = outputFiles;
  const gzipped = gzipSync(contents).length;
  if (gzipped > max) throw new Error(`${gzipped} bytes by gzip, expected at most ${max}`);
  return `${contents.length} bytes minified, ${gzipped} by gzip`;
}

/**
 * The package names in a file of declarations and in those it leads to, each with a file that has
 * it.
 */
async function packagesInTypes(file, found = new Map(), seen = new Set()) {
  if (seen.has(file)) return found;
  seen.add(file);
  const text = await readFile(join(root, file), 'utf8');
  const reference = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']|<reference types="([^"]+)"/g;
  for (const [, path, types] of text.replaceAll(/\/\*\*[^]*?\*\//g, '').matchAll(reference)) {
    const name = path ?? types;
    if (!name.startsWith('.')) found.set(name, file);
    else {
      const next = posix.join(dirname(file), name).replace(/\.js$/, '.d.ts');
      await packagesInTypes(next, found, seen);
    }
  }
  return found;
}

function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

async function checkOnNest(version, tarball) {
  const folder = join(temporary, `nest-${version}`);
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const nest = ['common', 'core', 'platform-express'].map((name) => `@nestjs/${name}@${version}`);
  const peers = ['reflect-metadata', 'rxjs'].map(pinned);
  const required = [tarball, ...nest, ...peers];
  await install(folder, required);

  for (const format of ['ESM', 'CommonJS']) {
    const file = join(folder, format === 'ESM' ? 'app.mjs' : 'app.cjs');
    await writeFile(file, format === 'ESM' ? esmApp() : commonJsApp());
    await check(`an app in ${format} on Nest ${version} serves a stream`, async () => {
      await run(process.execPath, [file], folder);
      return 'without optional peers';
    });
  }
  // The other entry points may need them. npm removes what is neither saved nor named again.
  const others = optionalPeers.map((name) => {
    const own = PEERS_OF_NEST[version]?.[name];
    return own === undefined ? pinned(name) : `${name}@${own}`;
  });
  if (others.length > 0) await install(folder, [...required, ...others]);
  for (const entry of entries) {
    const name = posix.join(manifest.name, entry);
    await check(`${name} can be imported and required beside Nest ${version}`, async () => {
      const test = `if (Object.keys(loaded).length === 0) throw new Error('it exports nothing');`;
      for (const [type, load] of [
        ['module', `await import('${name}')`],
        ['commonjs', `require('${name}')`],
      ]) {
        const script = `const loaded = ${load};${test}`;
        await run(process.execPath, [`--input-type=${type}`, '-e', script], folder);
      }
    });
  }
}

/** The version that this repository is developed with. */
function pinned(name) {
  const version = manifest.devDependencies[name];
  if (version === undefined) throw new Error(`${name} is a peer, but not in devDependencies`);
  return `${name}@${version}`;
}

async function install(folder, packages) {
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
  await run('npm', ['install', '--prefer-offline', ...quiet, ...packages], folder);
}

/**
 * Runs inside the app: decorators are called as functions, so that no compiler is needed.
 * A route of its own values, a room, and an error before the first byte.
 */
async function serve({ common, core, rxjs, sse }) {
  class StreamController {
    constructor(broadcaster) {
      this.broadcaster = broadcaster;
    }
    values() {
      return rxjs.of('x', { type: 'tick', id: '7', retry: 5000, data: { n: 1 } });
    }
    room() {
      return this.broadcaster.stream('room');
    }
    wrong() {
      return 7;
    }
  }
  common.Controller()(StreamController);
  common.Inject(sse.Broadcaster)(StreamController, undefined, 0);
  for (const name of ['values', 'room', 'wrong']) {
    const descriptor = Object.getOwnPropertyDescriptor(StreamController.prototype, name);
    sse.SseStream(name)(StreamController.prototype, name, descriptor);
    Object.defineProperty(StreamController.prototype, name, descriptor);
  }
  class AppModule {}
  const imports = [sse.SseModule.forRoot({ retry: 3417 })];
  common.Module({ imports, controllers: [StreamController] })(AppModule);

  const app = await core.NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const equal = (actual, expected) => {
    if (actual === expected) return;
    throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  };
  const opening = ': connected\nretry: 3417\n\n';

  const values = await fetch(`${url}/values`);
  equal(values.headers.get('content-type'), 'text/event-stream');
  const tick = 'event: tick\nretry: 5000\ndata: {"n":1}\nid: 7\n\n';
  equal(await values.text(), `${opening}data: x\n\n${tick}`);

  equal((await fetch(`${url}/wrong`)).status, 500);

  const room = await fetch(`${url}/room`);
  const cursor = await app.get(sse.Broadcaster).to('room').emit('made', { n: 2 });
  setImmediate(() => app.close());
  const text = await room.text();
  const event = `event: made\ndata: {"n":2}\nid: ${cursor}\n\n`;
  if (!text.startsWith(opening) || !text.includes(event)) equal(text, `${opening}${event}`);
}

function esmApp() {
  return `import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as rxjs from 'rxjs';
import * as sse from '${manifest.name}';
${serve.toString()}
await serve({ common, core, rxjs, sse });
`;
}

function commonJsApp() {
  return `require('reflect-metadata');
const common = require('@nestjs/common');
const core = require('@nestjs/core');
const rxjs = require('rxjs');
const sse = require('${manifest.name}');
${serve.toString()}
serve({ common, core, rxjs, sse }).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
`;
}
