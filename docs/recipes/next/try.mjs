// Runs this recipe in a real Next.js app in front of sample 02 and prints what a client sees:
// through `rewrites()` and through a route handler, in `next dev` and `next start`, with and
// without Next's compression. docs/guide/nextjs.md says what it found.
//
//   npm run build && node docs/recipes/next/try.mjs [version of Next, such as 16] [--idle]
//
// Needs the build, npm with a network, and about 700 MB in the temporary folder; chromium for the
// page. `--idle` adds a stream that is silent for longer than Next's proxy waits.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';

const root = join(import.meta.dirname, '../../..');
const exec = promisify(execFile);
const version = process.argv.slice(2).find((argument) => /^\d/.test(argument)) ?? 'latest';
const isIdleAsked = process.argv.includes('--idle');
const sample = join(root, 'dist/sample/02-orders/app.module.js');
const WAYS = { 'rewrites()': '/api/events', 'route handler': '/relay' };
const PAGES = { page: '/', 'page, other origin': '/direct' };
const PATIENCE_MS = 6_000;
const IDLE_MS = 45_000;

if (!existsSync(sample)) {
  console.error('There is no build: npm run build');
  process.exit(1);
}

const folder = await mkdtemp(join(tmpdir(), 'next-recipe-'));
const nest = await startNest();
try {
  await install();
  for (const mode of ['dev', 'start']) {
    for (const compress of [true, false]) await visit(mode, compress);
  }
} finally {
  await nest.app.close();
  await rm(folder, { recursive: true, force: true });
}

/** Sample 02, which leaves out `no-transform` while `isBare`. */
async function startNest() {
  const { NestFactory } = await import('@nestjs/core');
  const { Broadcaster, SseConnections } = await import('nestjs-eventstream');
  const { AppModule } = await import(sample);
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.enableCors();
  app.use((_request, response, next) => {
    const { writeHead } = response;
    response.writeHead = (status, headers) => {
      const own = nest.isBare ? { ...headers, 'Cache-Control': 'no-cache' } : headers;
      return writeHead.call(response, status, own);
    };
    next();
  });
  await app.listen(0, 'localhost');
  const connections = app.get(SseConnections);
  const opened = [];
  connections.opened$.subscribe(({ lastEventId }) => opened.push(lastEventId));
  const hub = app.get(Broadcaster);
  return { app, connections, opened, hub, url: await app.getUrl(), isBare: false };
}

/** The files of this folder as an app, and the package as npm would publish it. */
async function install() {
  await cp(import.meta.dirname, folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  await mkdir(join(folder, 'app/direct'));
  await writeFile(
    join(folder, 'app/direct/page.jsx'),
    `import { Orders } from '../orders';
    export default function Page() {
      return <Orders url="${nest.url}/events" />;
    }`,
  );
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename }] = JSON.parse((await exec('npm', pack, { cwd: root })).stdout);
  const packages = [`next@${version}`, 'react@19', 'react-dom@19', `./${filename}`];
  await exec('npm', ['install', '--no-audit', '--no-fund', ...packages], { cwd: folder });
  const { version: found } = JSON.parse(
    await readFile(join(folder, 'node_modules/next/package.json'), 'utf8'),
  );
  console.log(`Next.js ${found}, Node ${process.version}`);
}

async function visit(mode, compress) {
  const next = await startNextApp(mode, compress);
  const say = (what, found) => console.log(`  ${what.padEnd(52)} ${found}`);
  console.log(`\nnext ${mode}, compress: ${compress}`);
  try {
    for (const [way, path] of Object.entries(WAYS)) {
      say(`${way}: the library's headers`, await listen(next.url + path));
      nest.isBare = true;
      say(`${way}: without no-transform`, await listen(next.url + path));
      nest.isBare = false;
      say(`${way}: Last-Event-ID reaches Nest`, await resume(next.url + path));
      say(`${way}: a client leaves, Nest notices`, await leave());
      say(`${way}: Nest cuts, the client notices`, await cut(next.url + path));
    }
    if (mode === 'start') {
      const isOfBuild = (await statusOf(`${next.url}/built`)) === 200;
      say('rewrites(): variables of the environment', isOfBuild ? 'of the build' : 'of the start');
    }
    if (isIdleAsked) {
      say('rewrites(): a stream without keep-alives', await silence(`${next.url}/silent`));
      await fetch(`${nest.url}/shop/pause`, { method: 'POST' });
      say('rewrites(): a quiet stream of the library', await silence(`${next.url}/api/events`));
      await fetch(`${nest.url}/shop/resume`, { method: 'POST' });
    }
    await browse(next.url, say);
    await stopListening();
    for (const [way, path] of Object.entries(WAYS)) {
      say(`${way}: status while Nest is down`, await statusOf(next.url + path));
    }
    await nest.app.listen(new URL(nest.url).port, 'localhost');
  } finally {
    await next.stop();
  }
}

/** The configuration of the recipe, with two more servers behind `rewrites()`. */
async function startNextApp(mode, compress) {
  const silent = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
  }).listen(0);
  await once(silent, 'listening');
  await cp(join(import.meta.dirname, 'next.config.mjs'), join(folder, 'recipe.config.mjs'));
  await writeFile(
    join(folder, 'next.config.mjs'),
    `import recipe from './recipe.config.mjs';
    export default { ...recipe, compress: ${compress}, rewrites: async () => [
      ...(await recipe.rewrites()),
      { source: '/built', destination: process.env.STEP === 'build' ? '${nest.url}/events' : 'http://localhost:1/' },
      { source: '/silent', destination: 'http://localhost:${silent.address().port}/' },
    ] };`,
  );
  const env = { ...process.env, NEST_URL: nest.url, NEXT_TELEMETRY_DISABLED: '1' };
  const cli = join(folder, 'node_modules/next/dist/bin/next');
  if (mode === 'start')
    await exec('node', [cli, 'build'], { cwd: folder, env: { ...env, STEP: 'build' } });
  const port = await freePort();
  const child = spawn('node', [cli, mode, '-p', port], { cwd: folder, env, stdio: 'pipe' });
  const stop = async () => {
    silent.closeAllConnections();
    silent.close();
    const gone = once(child, 'exit');
    child.kill();
    await gone;
  };
  child.stdout.resume();
  child.stderr.resume();
  const url = `http://localhost:${port}`;
  for (const path of ['/', '/relay']) await waitFor(url + path);
  return { url, stop };
}

/** The first request makes `next dev` compile. */
async function waitFor(url) {
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
      await response.body.cancel();
      return;
    } catch {
      await sleep(200);
    }
  }
}

/** As a browser asks. */
function open(url, headers = {}) {
  const request = get(url, { headers: { 'accept-encoding': 'gzip', ...headers }, agent: false });
  request.on('error', () => {});
  return new Promise((resolve, reject) => {
    request.once('response', (response) => {
      response.on('error', () => {});
      resolve({ request, response });
    });
    request.once('error', reject);
  });
}

/** How long it takes until a client reads an event, of those that Nest emits all the time. */
async function listen(url) {
  const start = performance.now();
  const change = { isOpen: true, revision: 0 };
  const changes = setInterval(() => void nest.hub.to('orders').emit('shop', change), 100);
  const { request, response } = await open(url);
  const encoding = response.headers['content-encoding'];
  const body = encoding === 'gzip' ? response.pipe(createGunzip()) : response;
  let text = '';
  const seen = new Promise((resolve) => {
    body.on('error', () => {});
    body.on('data', (chunk) => {
      text += chunk;
      if (text.includes('event: shop')) resolve(Math.round(performance.now() - start));
    });
  });
  const ms = await Promise.race([seen, sleep(PATIENCE_MS)]);
  clearInterval(changes);
  request.destroy();
  const found = ms === undefined ? `no event within ${PATIENCE_MS} ms` : `an event after ${ms} ms`;
  return `${found}, ${encoding ?? 'not compressed'}`;
}

async function resume(url) {
  const id = await nest.hub.position();
  const { request, response } = await open(url, { 'last-event-id': id });
  await once(response, 'data');
  request.destroy();
  return nest.opened.at(-1) === id ? 'yes' : `no, but ${nest.opened.at(-1)}`;
}

/** Those of the tests above. */
async function leave() {
  const start = performance.now();
  while (nest.connections.count > 0 && performance.now() - start < PATIENCE_MS) await sleep(20);
  return nest.connections.count === 0 ? 'yes' : `${nest.connections.count} are still open`;
}

async function cut(url) {
  const { request, response } = await open(url);
  await once(response, 'data');
  response.resume();
  cutAll();
  const ended = closed(response).then(() => (response.complete ? 'an end' : 'a cut'));
  const found = await Promise.race([ended, sleep(PATIENCE_MS)]);
  request.destroy();
  return found ?? `nothing for ${PATIENCE_MS} ms`;
}

/** `once()` would reject with the error of a cut. */
function closed(response) {
  return new Promise((resolve) => response.once('close', resolve));
}

/** As a network does. */
function cutAll() {
  for (const { request } of nest.connections.list()) request.socket.destroy();
}

async function stopListening() {
  const server = nest.app.getHttpServer();
  server.closeAllConnections();
  await promisify(server.close.bind(server))();
}

async function statusOf(url) {
  const { request, response } = await open(url);
  request.destroy();
  return response.statusCode;
}

async function silence(url) {
  const start = performance.now();
  const { request, response } = await open(url, { 'accept-encoding': 'identity' });
  const isOver = closed(response).then(() => performance.now() - start);
  response.resume();
  const ms = await Promise.race([isOver, sleep(IDLE_MS)]);
  request.destroy();
  return ms === undefined ? `open after ${IDLE_MS} ms` : `cut after ${Math.round(ms)} ms`;
}

/** The page of the recipe, and one that reads from Nest's own origin. */
async function browse(url, say) {
  nest.opened.length = 0;
  const html = await (await fetch(url)).text();
  say('page: streams opened while Next renders', nest.opened.length);
  say('page: its HTML says', /id="state">([^<]*)/.exec(html)?.[1]);
  const executablePath = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => process.env.PATH.split(delimiter).map((path) => join(path, name)))
    .find((path) => existsSync(path));
  if (executablePath === undefined) {
    say('page', 'not tried: there is no chromium');
    return;
  }
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    for (const [name, path] of Object.entries(PAGES)) {
      const page = await browser.newPage();
      nest.opened.length = 0;
      await page.goto(url + path);
      await page.waitForFunction(() => document.querySelector('#state').textContent === 'open');
      await page.waitForSelector('li');
      say(`${name}: streams opened by the component`, nest.opened.length);
      const cutAt = performance.now();
      cutAll();
      const before = nest.opened.length;
      while (nest.opened.length === before && performance.now() - cutAt < 60_000) await sleep(100);
      const seconds = ((performance.now() - cutAt) / 1_000).toFixed(0);
      const isResumed = nest.opened.length > before && nest.opened.at(-1) !== undefined;
      const found = isResumed ? 'resumes' : 'has not resumed';
      say(`${name}: after a cut`, `${found} after ${seconds} s`);
      await page.close();
    }
  } finally {
    await browser.close();
  }
}

async function freePort() {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return String(port);
}
