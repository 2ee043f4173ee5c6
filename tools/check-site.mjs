// After `npm run docs`: opens each page of the built site in a browser, in each of the widths below.
// Finds code that is cut, pages that scroll sideways, pictures and links within a page that lead
// nowhere, and errors in the console.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { launchChromium } from './chromium.mjs';

const SITE = join(import.meta.dirname, '../docs/.vitepress/dist');
const ORIGIN = 'http://site.test';
const base = process.env.DOCS_BASE ?? '/';

/** Code has to fit from here on: with the sidebar and the outline beside it, this is the least. */
const CODE_FITS_AT = 1280;
const WIDTHS = [CODE_FITS_AT, 768, 390];

/** Reading it at the same time is quicker, as pages wait for their scripts. */
const TABS = 3;

const files = readdirSync(SITE, { recursive: true, encoding: 'utf8' });
const pages = files.filter((name) => name.endsWith('.html') && name !== '404.html').sort();

const browser = await launchChromium();
if (browser !== undefined) {
  const begun = Date.now();
  const problems = [];
  const rest = [...pages];
  const work = async () => {
    const context = await browser.newContext();
    await context.route('**', serve);
    const tab = await context.newPage();
    let opened;
    const report = (problem) => problems.push(`${opened}: ${problem}`);
    tab.on('pageerror', (error) => report(error.message));
    tab.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) report(message.text());
    });
    for (opened = rest.pop(); opened !== undefined; opened = rest.pop()) {
      await check(tab, opened, report);
    }
  };
  try {
    await Promise.all(Array.from({ length: TABS }, work));
  } finally {
    await browser.close();
  }
  for (const problem of problems.sort()) console.log(`FAIL  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else {
    const seconds = Math.round((Date.now() - begun) / 1_000);
    console.log(`ok    the site: ${pages.length} pages, looked at in ${seconds} s`);
  }
}

/** As a static host with clean URLs would. */
async function serve(route) {
  const { origin, pathname } = new URL(route.request().url());
  if (origin !== ORIGIN || !pathname.startsWith(base)) return route.abort();
  const name = decodeURIComponent(pathname.slice(base.length));
  const file = [name, `${name}.html`, join(name, 'index.html')].find((one) => files.includes(one) && /\.\w+$/.test(one)); // prettier-ignore
  return file === undefined
    ? route.fulfill({ status: 404 })
    : route.fulfill({ path: join(SITE, file) });
}

async function check(tab, name, report) {
  await tab.setViewportSize({ width: WIDTHS[0], height: 900 });
  await tab.goto(ORIGIN + base + name.replace(/(index)?\.html$/, ''));
  for (const width of WIDTHS) {
    await tab.setViewportSize({ width, height: 900 });
    const { over, cut } = await tab.evaluate(measure);
    if (over > 0) report(`at ${width} px: scrolls sideways by ${over} px`);
    if (width === CODE_FITS_AT) for (const line of cut) report(`cut at ${width} px: ${line}`);
  }
  for (const problem of await tab.evaluate(brokenWithin)) report(problem);
}

/** In the page. */
function measure() {
  const longest = (text) => text.split('\n').sort((a, b) => b.length - a.length)[0];
  const blocks = [...document.querySelectorAll('div[class*="language-"] pre')];
  return {
    over: document.documentElement.scrollWidth - innerWidth,
    cut: blocks
      .filter((block) => block.scrollWidth > block.clientWidth)
      .map(
        (block) => `${longest(block.textContent).length} columns: ${longest(block.textContent)}`,
      ),
  };
}

/** In the page. Pictures that nobody has scrolled to have not been loaded. */
function brokenWithin() {
  const anchors = [...document.querySelectorAll('.vp-doc a[href^="#"]')]
    .map((link) => decodeURIComponent(link.hash.slice(1)))
    .filter((id) => id !== '' && document.getElementById(id) === null);
  const pictures = [...document.images].filter((one) => one.complete && one.naturalWidth === 0);
  return [
    ...anchors.map((id) => `there is no #${id}`),
    ...pictures.map(({ src }) => `there is no picture ${src}`),
  ];
}
