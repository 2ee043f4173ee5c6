// After `npm run docs`: opens each page of the built site in a browser, in each of the widths
// below. Finds code that is cut, pages that scroll sideways, pictures and links within a page that
// lead nowhere, and errors in the console.
import { once } from 'node:events';
import { createReadStream, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { launchChromium } from './chromium.mjs';

const SITE = join(import.meta.dirname, '../docs/.vitepress/dist');
const base = process.env.DOCS_BASE ?? '/';

/** Code has to fit from here on: with the sidebar and the outline beside it, this is the least. */
const CODE_FITS_AT = 1280;
const WIDTHS = [CODE_FITS_AT, 768, 390];

/** Reading it at the same time is quicker, as pages wait for their scripts. */
const TABS = 3;

const files = readdirSync(SITE, { recursive: true, encoding: 'utf8' });
const pages = files.filter((name) => name.endsWith('.html') && name !== '404.html').sort();

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }; // prettier-ignore

const browser = await launchChromium();
const server = createServer(serve).listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
if (browser === undefined) server.close();
else {
  const begun = Date.now();
  const problems = [];
  const rest = [...pages];
  const work = async () => {
    const context = await browser.newContext();
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
    server.close();
  }
  for (const problem of problems.sort((a, b) => a.localeCompare(b)))
    console.log(`FAIL  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else {
    const seconds = Math.round((Date.now() - begun) / 1_000);
    console.log(`ok    the site: ${pages.length} pages, looked at in ${seconds} s`);
  }
}

/** As a static host with clean URLs would. What the pages share is loaded once. */
function serve({ url }, response) {
  const name = decodeURIComponent(new URL(url, origin).pathname.slice(base.length));
  const found = [name, `${name}.html`, join(name, 'index.html')].find(
    (one) => extname(one) !== '' && files.includes(one),
  );
  response.statusCode = found === undefined ? 404 : 200;
  if (found === undefined) return response.end();
  response.setHeader('content-type', TYPES[extname(found)] ?? 'application/octet-stream');
  response.setHeader('cache-control', 'max-age=600');
  return createReadStream(join(SITE, found)).pipe(response);
}

async function check(tab, name, report) {
  await tab.setViewportSize({ width: WIDTHS[0], height: 900 });
  await tab.goto(origin + base + name.replace(/(index)?\.html$/, ''));
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
