// What clients that are not ours do with a compressed stream: each event at once, and an end that
// none of them takes for an error.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { describeChromium, launchChromium } from '../browser/chromium.js';
import { findProgram } from '../support/processes.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';
import { startPrograms } from './clients.js';
import type { Program } from './program.js';

const EVENTS = 20;

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('stream') stream() {
    return this.hub.stream('main');
  }
}

const compressed = (): Promise<TestApp> =>
  serve(Streams, { sse: { retry: 20, compression: true } });

/** The `Content-Encoding` of the open connections. */
const encodings = (app: TestApp): unknown[] =>
  app.nest
    .get(SseConnections)
    .list()
    .map(({ request }) => (request as unknown as { res: ServerResponse }).res)
    .map((response) => response.getHeader('content-encoding'));

const dataOf = (n: number): string => (n % 10 === 0 ? `${n}\nof several\n\nlines` : `${n} ✓`);

/** Sends one event after the other, each when the one before has arrived. */
async function sendOneByOne(app: TestApp, from: number, heard: () => readonly string[], who = '') {
  const connections = app.nest.get(SseConnections);
  await until(`a connection of ${who}`, () => connections.count > 0);
  for (let n = from; n < from + EVENTS; n++) {
    await app.nest.get(Broadcaster).to('main').emit('n', dataOf(n));
    await until(`event ${n}; heard: ${heard().join()}`, () => heard().includes(dataOf(n)));
  }
}

const all = (count: number): string[] => Array.from({ length: count }, (_none, n) => dataOf(n));

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe('a compressed stream', () => {
  let programs: Program[];
  beforeAll(async () => {
    programs = await startPrograms();
  }, 60_000);
  afterAll(async () => {
    for (const program of programs) await program.close();
  });

  // feature: 81, 95
  it('is read by each client event by event, and again after an end', async () => {
    const found: Record<string, unknown> = {};
    for (const program of programs) {
      const app = await compressed();
      const client = await program.open(`${app.url}/stream`);
      cleanUps.push(() => client.close());
      const heard = (): string[] =>
        client.heard.filter(({ type }) => type === 'n').map(({ data }) => data);
      await sendOneByOne(app, 0, heard, program.name);
      [found[program.name]] = encodings(app);
      const connections = app.nest.get(SseConnections);
      for (const connection of connections.list()) connection.close();
      const isBack = (): boolean => connections.count > 0;
      await until(`${program.name} returns or is over`, () => isBack() || client.isOver());
      client.again?.();
      // One of them does not return after an end.
      const events = isBack() || client.again !== undefined ? 2 * EVENTS : EVENTS;
      if (events > EVENTS) await sendOneByOne(app, EVENTS, heard, program.name);
      expect([program.name, heard()]).toEqual([program.name, all(events)]);
    }
    const plain = Object.keys(found).filter((name) => found[name] === undefined);
    const mayBePlain = ['`eventsource` 2.0', '`launchdarkly-eventsource` 2.2', 'Python', 'curl'];
    expect(mayBePlain).toEqual(expect.arrayContaining(plain));
    expect(Object.values(found).filter((encoding) => encoding === 'gzip').length).toBeGreaterThan(
      3,
    );
  }, 120_000);
});

describe('a compressed stream, read to its end by', () => {
  /** What a program prints, and how it ends. */
  async function readBy(command: string, args: (url: string) => string[]): Promise<unknown[]> {
    const app = await compressed();
    const child: ChildProcess = spawn(command, args(`${app.url}/stream`));
    cleanUps.push(() => child.kill('SIGKILL'));
    let text = '';
    let trouble = '';
    child.stdout!.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.stderr!.setEncoding('utf8').on('data', (part: string) => (trouble += part));
    const closed = once(child, 'close');
    const heard = (): string[] =>
      text.split('\n\n').flatMap((block) => {
        const lines = [...block.matchAll(/^data: (.*)$/gm)].map(([, line]) => line);
        return lines.length === 0 ? [] : [lines.join('\n')];
      });
    await sendOneByOne(app, 0, () =>
      [...heard(), ...text.matchAll(/^data: (\d+)$/gm)].map((one) =>
        typeof one === 'string' ? one : dataOf(Number(one[1])),
      ),
    );
    expect(encodings(app)).toEqual(['gzip']);
    app.nest.get(SseConnections).list()[0]!.close();
    const [status] = (await closed) as [number];
    return [status, trouble];
  }

  const describeProgram = (name: string): typeof describe | typeof describe.skip =>
    findProgram(name) === undefined ? describe.skip : describe;

  describeProgram('curl')('curl', () => {
    // feature: 81
    it('--compressed', async () => {
      expect(await readBy('curl', (url) => ['-sN', '--compressed', url])).toEqual([0, '']);
    });
  });

  describeProgram('python3')('Python', () => {
    // feature: 81
    it('with zlib, which finds nothing missing', async () => {
      const program = `
import sys, zlib
from urllib.request import Request, urlopen
inflate = zlib.decompressobj(31)
with urlopen(Request(sys.argv[1], headers={"Accept-Encoding": "gzip"})) as response:
    while part := response.read1():
        sys.stdout.buffer.write(inflate.decompress(part))
        sys.stdout.flush()
assert inflate.eof and inflate.unused_data == b""
`;
      expect(await readBy('python3', (url) => ['-c', program, url])).toEqual([0, '']);
    });
  });

  describeProgram('go')('Go', () => {
    // feature: 81
    it('net/http, which asks for gzip by itself and checks its end', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'interop-gzip-'));
      cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
      const source = `package main
import ("io"; "net/http"; "os")
func main() {
	response, err := http.Get(os.Args[1])
	if err != nil { panic(err) }
	if !response.Uncompressed { panic("it was not compressed") }
	if _, err = io.Copy(os.Stdout, response.Body); err != nil { panic(err) }
}`;
      writeFileSync(join(folder, 'main.go'), source);
      const file = join(folder, 'client');
      const built = spawnSync('go', ['build', '-o', file, 'main.go'], {
        cwd: folder,
        env: { ...process.env, GOCACHE: join(folder, 'cache') },
        encoding: 'utf8',
      });
      expect([built.status, built.stderr]).toEqual([0, '']);
      expect(await readBy(file, (url) => [url])).toEqual([0, '']);
    }, 90_000);
  });

  // feature: 81
  it('fetch of Node', async () => {
    const app = await compressed();
    const response = await fetch(`${app.url}/stream`);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    let text = '';
    const read = (async () => {
      const decoder = new TextDecoder();
      for await (const part of response.body!) {
        text += decoder.decode(part, { stream: true });
      }
    })();
    const hub = app.nest.get(Broadcaster);
    for (const data of ['one', 'two']) {
      await hub.to('main').emit('n', data);
      await until(data, () => text.includes(`data: ${data}\n`));
    }
    app.nest.get(SseConnections).list()[0]!.close();
    await expect(read).resolves.toBeUndefined();
  });

  // feature: 81
  it('the client of this library, which returns to the next', async () => {
    const app = await compressed();
    const stream = connect(`${app.url}/stream`);
    cleanUps.push(() => stream.close());
    const heard: string[] = [];
    stream.on('n', ({ data }) => heard.push(String(data)));
    await sendOneByOne(app, 0, () => heard);
    expect(encodings(app)).toEqual(['gzip']);
    app.nest.get(SseConnections).list()[0]!.close();
    await sendOneByOne(app, EVENTS, () => heard);
    expect(heard).toEqual(all(2 * EVENTS));
  });
});

describeChromium('a compressed stream in Chromium', () => {
  // feature: 81
  it('is read to its end by fetch', async () => {
    const app = await compressed();
    const browser = await launchChromium();
    cleanUps.push(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${app.url}/none`);
    const ended = page.evaluate(async () => {
      const response = await fetch('/stream');
      return { encoding: response.headers.get('content-encoding'), text: await response.text() };
    });
    await until('a connection', () => app.nest.get(SseConnections).count === 1);
    await app.nest.get(Broadcaster).to('main').emit('n', 'last');
    app.nest.get(SseConnections).list()[0]!.close();
    const { encoding, text } = await ended;
    expect(encoding).toBe('gzip');
    expect(text).toMatch(/event: n\ndata: last\nid: \S+\n\n$/);
  });
});
