import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { EventSource } from 'eventsource';
import { EventSource as EventSource5 } from 'eventsource-5';
import { EventSource as UndiciEventSource } from 'undici';
import { createEventSource } from 'eventsource-client';
import { createParser } from 'eventsource-parser';
import type { Browser } from 'playwright-core';
import { CHROMIUM, launchChromium } from '../browser/chromium.js';
import { findProgram, isAlive } from '../support/processes.js';
import { startFirefox } from './firefox-program.js';
import {
  CLOSED,
  eventSourceScript,
  TYPES,
  type Client,
  type Heard,
  type Program,
} from './program.js';

/** The clients that docs/guide/python-go-curl.md shows. */
const RECIPES = join(import.meta.dirname, '../../docs/recipes');

/** The clients of this machine; says which are missing. In CI that is a failure. */
export async function startPrograms(): Promise<Program[]> {
  const programs = [
    ...NODE_PROGRAMS,
    eventsourceClient,
    ...(CHROMIUM === undefined ? [] : await startBrowserPrograms()),
    await withProgram(findProgram('firefox-esr') ? 'firefox-esr' : 'firefox', startFirefox),
    await withProgram('go', startGo),
    await withProgram('python3', startPython),
    await withProgram('curl', startCurl),
  ];
  return programs.filter((program) => program !== undefined);
}

/** What the packages that are an `EventSource` have of one. */
type SourceClass = new (url: string) => {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
};

const require = createRequire(import.meta.url);
const launchDarkly = require('launchdarkly-eventsource') as { EventSource: SourceClass };

const sourceProgram = (name: string, Source: SourceClass): Program => ({
  name,
  open(url) {
    const heard: Heard[] = [];
    const source = new Source(url);
    for (const type of TYPES) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        heard.push({ type, data, id: lastEventId });
      });
    }
    source.addEventListener('error', () => {});
    return { heard, isOver: () => source.readyState === CLOSED, close: () => source.close() };
  },
  close() {},
});

const NODE_PROGRAMS = [
  sourceProgram('`eventsource` 2.0', require('eventsource-2') as SourceClass),
  sourceProgram(
    '`eventsource` 3.0',
    (require('eventsource-3') as { EventSource: SourceClass }).EventSource,
  ),
  sourceProgram('`eventsource` 4.1', EventSource),
  sourceProgram('`eventsource` 5.1', EventSource5),
  sourceProgram('`undici` 7.30', UndiciEventSource),
  sourceProgram('`launchdarkly-eventsource` 2.2', launchDarkly.EventSource),
];

const eventsourceClient: Program = {
  name: '`eventsource-client` 1.2',
  open(url) {
    const heard: Heard[] = [];
    const onMessage = ({ event: type = 'message', data, id = '' }: MessageOfPackage) =>
      void heard.push({ type, data, id });
    const source = createEventSource({ url, onMessage });
    return { heard, isOver: () => source.readyState === 'closed', close: () => source.close() };
  },
  close() {},
};

interface MessageOfPackage {
  readonly event?: string | undefined;
  readonly data: string;
  readonly id?: string | undefined;
}

/** Chromium's own client, and one that needs a `window`. */
async function startBrowserPrograms(): Promise<Program[]> {
  const { outputFiles } = await build({
    entryPoints: ['@microsoft/fetch-event-source'],
    bundle: true,
    format: 'iife',
    globalName: 'fetchEventSourcePackage',
    write: false,
  });
  const browser = await launchChromium();
  return [
    pageProgram(browser, 'Chromium', eventSourceScript),
    {
      ...pageProgram(
        browser,
        '`fetch-event-source` 2.0',
        (url) => `${outputFiles[0]!.text};
        fetchEventSourcePackage.fetchEventSource('${url}', {
          onmessage: ({ event, data, id }) => hear({ type: event || 'message', data, id }),
        }).then(end, end);`,
      ),
      close: () => browser.close(),
    },
  ];
}

function pageProgram(browser: Browser, name: string, script: (url: string) => string): Program {
  return {
    name,
    async open(url) {
      const heard: Heard[] = [];
      let over = false;
      const page = await browser.newPage();
      // A page of the same origin, of which the server knows nothing.
      const home = new URL('/page', url).href;
      await page.route(home, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>A page</title>' }),
      );
      await page.goto(home);
      await page.unrouteAll();
      await page.exposeFunction('hear', (event: Heard) => void heard.push(event));
      await page.exposeFunction('end', () => void (over = true));
      await page.addScriptTag({ content: script(url) });
      return { heard, isOver: () => over, close: () => page.close() };
    },
    close() {},
  };
}

async function withProgram(
  name: string,
  start: (file: string) => Program | Promise<Program>,
): Promise<Program | undefined> {
  const file = findProgram(name);
  if (file !== undefined) return start(file);
  if (process.env['CI'] === 'true') throw new Error(`there is no ${name} in PATH`);
  process.stdout.write(`The interop suites go without ${name}: it is not in PATH\n`);
  return undefined;
}

function startGo(go: string): Program {
  const folder = mkdtempSync(join(tmpdir(), 'interop-go-'));
  const file = join(folder, 'client');
  // Without the state of the repository, which git refuses to other users, such as root in CI.
  const { status, stderr } = spawnSync(go, ['build', '-buildvcs=false', '-o', file, '.'], {
    cwd: join(RECIPES, 'go'),
    env: { ...process.env, GOCACHE: join(folder, 'cache') },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
  return {
    name: 'Go',
    open: (url) => openLines(file, [url]),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function startPython(python: string): Program {
  const file = join(RECIPES, 'python/main.py');
  // -B: no cache of bytecode beside the sources.
  return { name: 'Python', open: (url) => openLines(python, ['-B', file, url]), close() {} };
}

/** A program that prints one line of JSON for each event. */
function openLines(file: string, args: string[]): Client {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const heard: Heard[] = [];
  createInterface(child.stdout).on('line', (line) => heard.push(JSON.parse(line) as Heard));
  return { heard, isOver: () => !isAlive(child), close: () => stop(child) };
}

/** curl does not reconnect: `again()` calls it with the last id that it printed. */
function startCurl(): Program {
  const file = join(RECIPES, 'curl/read.sh');
  return {
    name: 'curl',
    open(url) {
      const heard: Heard[] = [];
      let lastEventId = '';
      let child: ChildProcess | undefined;
      let over = false;
      const run = (): void => {
        const parser = createParser({
          onEvent({ event: type = 'message', data, id = '' }) {
            if (id !== '') lastEventId = id;
            heard.push({ type, data, id });
          },
        });
        child = spawn(file, [url, lastEventId], { stdio: ['ignore', 'pipe', 'ignore'] });
        child.stdout!.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
        child.on('close', () => {
          over = true;
        });
      };
      run();
      return {
        heard,
        isOver: () => over,
        close: () => stop(child),
        again() {
          over = false;
          run();
        },
      };
    },
    close() {},
  };
}

function stop(child: ChildProcess | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (child === undefined || !isAlive(child)) return resolve();
    child.once('close', () => resolve());
    child.kill('SIGKILL');
  });
}
