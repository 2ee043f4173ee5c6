// After a build: follows docs/guide/quick-start.md to the letter, in an empty folder, with the
// package as npm would publish it. Its files are written, its commands are run, and a browser has
// its pages open meanwhile.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { launchChromium } from './chromium.mjs';

const root = join(import.meta.dirname, '..');
const guide = await readFile(join(root, 'docs/guide/quick-start.md'), 'utf8');
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const exec = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'quick-start-'));
/** Others may use the port of the guide. */
const port = await freePort();
const onPort = (text) => text.replaceAll(':3000', `:${port}`).replace('listen(3000)', `listen(${port})`); // prettier-ignore

let server;
let browser;
try {
  await follow();
  console.log('ok    the quick start, followed in an empty folder');
} catch (error) {
  console.log(`FAIL  the quick start: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
  server?.kill();
  await rm(folder, { recursive: true, force: true });
}

async function follow() {
  const blocks = [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  const commands = blocks.filter(([, language]) => language === 'sh').map(([, , text]) => text);
  const [install, run, speak, listen, cut] = commands;
  if (commands.length !== 5) throw new Error(`${commands.length} blocks of commands, not 5`);

  for (const [, path, text] of guide.matchAll(/`([\w./]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), onPort(text));
  }
  await shell(
    install.replace(`install ${manifest.name}`, `install --prefer-offline ${await pack()}`),
  );
  const start = 'node dist/main.js';
  if (run.trim().split('\n').at(-1) !== start) throw new Error(`the app is not run by ${start}`);
  await shell(run.replace(start, ''));
  server = spawn('node', ['dist/main.js'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  await saying(server, (text) => text.includes('started'));

  const pages = await openPages();
  await shell(speak);
  await pages?.kitchen.waitForSelector('text=dinner is ready');
  await listenTo(listen, speak);
  await shell(cut);
  await pages?.kitchen.waitForSelector('text=it is getting cold');
  if (pages === undefined) return;
  const lines = await pages.kitchen.locator('li').allTextContents();
  const said = ['dinner is ready', 'dinner is ready', 'it is getting cold'];
  if (String(lines) !== String(said)) throw new Error(`the kitchen's page has: ${lines}`);
  const others = await pages.garden.locator('li').count();
  if (others > 0) throw new Error(`the garden's page has ${others} lines`);
}

async function pack() {
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const packed = JSON.parse((await exec('npm', packing, { cwd: root })).stdout);
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  return join(folder, filename);
}

async function freePort() {
  const probe = createServer().listen(0);
  await once(probe, 'listening');
  const { port: free } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

function shell(script) {
  return exec('bash', ['-ec', onPort(script)], { cwd: folder, timeout: 120_000 });
}

/** Where there is no browser, the rest is still followed. */
async function openPages() {
  browser = await launchChromium();
  if (browser === undefined) return undefined;
  const open = async (room) => {
    const page = await browser.newPage();
    const streamed = page.waitForResponse((response) => response.url().includes('/rooms/'));
    await page.goto(onPort(`http://localhost:3000/?room=${room}`));
    await streamed;
    return page;
  };
  return { kitchen: await open('kitchen'), garden: await open('garden') };
}

/** What a listener sees is what the guide shows, but for what is drawn. */
async function listenTo(listen, speak) {
  const shown = /```text\n([\s\S]*?)```/.exec(guide)[1];
  const drawn = (text) =>
    text
      .replace(/retry: \d+/, 'retry: n')
      .replaceAll(/id: \S+/g, 'id: cursor')
      .trim();
  const [command, ...options] = listen.trim().split(' ');
  const listener = spawn(command, options.map(onPort));
  try {
    const heard = saying(listener, (text) => /\ndata: .*\nid: .*\n/.test(text));
    await saying(listener, (text) => text.includes('id: '));
    await shell(speak);
    const text = await heard;
    if (drawn(text) !== drawn(shown)) throw new Error(`curl printed:\n${text}\nnot:\n${shown}`);
  } finally {
    listener.kill();
  }
}

/** Resolves with all that the process prints, as soon as it is enough. */
function saying(child, enough) {
  let printed = '';
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${why}; got:\n${printed}`));
    const timer = setTimeout(() => fail('not within 30 s'), 30_000);
    child.once('exit', (code) => fail(`ended with ${code}`));
    child.stdout.on('data', (data) => {
      printed += data;
      if (!enough(printed)) return;
      clearTimeout(timer);
      resolve(printed);
    });
  });
}
