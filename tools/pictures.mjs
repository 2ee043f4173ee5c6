// After a build: takes the pictures of the docs from the samples as they are, in light and in dark.
// `node tools/pictures.mjs` takes all, `node tools/pictures.mjs orders` those of this name.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchChromium } from './chromium.mjs';
import { animatedWebp } from './pictures/animated-webp.mjs';

const root = join(import.meta.dirname, '..');
const SCHEMES = ['light', 'dark'];

/** A minute of curves, which is all that the dashboard shows. */
const CURVES_MS = 61_000;
/** Until the inspector has some curves and something notable. */
const BUSY_MS = 45_000;

/** Between two frames of a moving picture. */
const FRAME_MS = 125;
const BEFORE_MS = 1_500;
/** How long after its return the list still marks what was missed, and is the still picture. */
const STILL_MS = 700;
const AFTER_MS = 2_000;
/** The last frame, before it begins again. */
const LAST_MS = 1_500;
const MOST_BYTES = 1_500_000;

const PICTURES = { orders, dashboard, inspector };
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in PICTURES));
if (unknown.length > 0)
  throw new Error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(PICTURES).join(', ')}`);

const children = [];
const browser = await launchChromium();
if (browser === undefined) process.exit(1);
try {
  for (const [name, take] of Object.entries(PICTURES)) {
    if (chosen.length === 0 || chosen.includes(name)) await take();
  }
} finally {
  for (const child of children) child.kill();
  await browser.close();
}

function dashboard() {
  return takeStills('dashboard', 'dist/sample/01-dashboard/main.js', CURVES_MS);
}

function inspector() {
  return takeStills('inspector', 'tools/pictures/busy-app.mjs', BUSY_MS);
}

async function takeStills(name, program, afterMs) {
  const url = await start(program);
  const open = (scheme) => tabOf(scheme, { width: 1440, height: 900 }, url);
  const tabs = await Promise.all(SCHEMES.map(open));
  await sleep(afterMs);
  for (const [n, scheme] of SCHEMES.entries()) {
    await save(`${name}-${scheme}.png`, await tabs[n].screenshot());
    await tabs[n].context().close();
  }
}

/** The list goes offline, comes back, and gets what it missed. */
async function orders() {
  const url = await start('dist/sample/02-orders/main.js');
  for (const scheme of SCHEMES) {
    const { frames, still } = await recordOrders(
      scheme,
      { width: 720, height: 540, scale: 2 },
      url,
    );
    await save(`orders-${scheme}.png`, still.png);
    await save(`orders-${scheme}.webp`, await moving(frames));
    const phone = await recordOrders(scheme, { width: 390, height: 640, scale: 1.5 }, url);
    await save(`orders-phone-${scheme}.webp`, await moving(phone.frames));
  }
}

async function recordOrders(scheme, size, url) {
  // A mark that fades is a new picture each time; with reduced motion it goes at once.
  const tab = await tabOf(scheme, { ...size, reducedMotion: 'reduce' }, url);
  const isIn = (state) => tab.waitForSelector(`#state[data-state="${state}"]`);
  await isIn('live');
  // By now it has been live for a while.
  await sleep(3_000);
  let isOver = false;
  const recording = record(tab, () => isOver);
  await sleep(BEFORE_MS);
  await tab.click('#offline');
  await isIn('offline');
  await isIn('live');
  const back = Date.now();
  await sleep(AFTER_MS);
  isOver = true;
  const frames = await recording;
  await tab.context().close();
  return { frames, still: frames.find(({ at }) => at >= back + STILL_MS) ?? frames.at(-1) };
}

async function moving(frames) {
  const tab = await browser.newPage();
  const webp = await animatedWebp(tab, frames, LAST_MS);
  await tab.close();
  if (webp.length > MOST_BYTES) throw new Error(`${webp.length} bytes are too many`);
  return webp;
}

async function record(tab, isOver) {
  const frames = [];
  for (let next = Date.now(); !isOver(); next = Math.max(next + FRAME_MS, Date.now())) {
    await sleep(next - Date.now());
    const at = Date.now();
    frames.push({ at, png: await tab.screenshot() });
  }
  return frames;
}

async function tabOf(colorScheme, { width, height, scale = 1, reducedMotion }, url) {
  const context = await browser.newContext({
    colorScheme,
    reducedMotion,
    viewport: { width, height },
    deviceScaleFactor: scale,
  });
  const tab = await context.newPage();
  await tab.goto(url);
  return tab;
}

/** Resolves with its address, which it prints. */
function start(program) {
  const child = spawn(process.execPath, [program], {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout.on('data', (data) => {
      printed += data;
      const url = /http:\S+/.exec(printed)?.[0];
      if (url !== undefined) resolve(url);
    });
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
  });
}

async function save(name, bytes) {
  await writeFile(join(root, 'docs/images', name), bytes);
  console.log(`${name}  ${Math.round(bytes.length / 1_000)} kB`);
}
