// What clients that are not ours do with a stream: a thousand events of a real app over sockets
// that are cut, and each cell of the table in the guide.
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { answer, endOf, status, streamOf } from '../client/support.js';
import { encodeFrame } from '../../lib/wire/frame.js';
import { serve } from '../support/serve.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startPrograms } from './clients.js';
import type { Client, Program } from './program.js';

const EVENTS = 1_000;
/** A cut after so many. */
const PART = 250;

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('stream') stream() {
    return this.hub.stream('main');
  }
}

let programs: Program[];
const cleanUps: (() => unknown)[] = [];

beforeAll(async () => {
  programs = await startPrograms();
}, 60_000);
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  for (const program of programs) await program.close();
});

async function open(program: Program, url: string): Promise<Client> {
  const client = await program.open(url);
  cleanUps.push(() => client.close());
  return client;
}

/** The program on the far side of a proxy that can be cut. */
async function openApp(program: Program) {
  const app = await serve(Streams, { sse: { retry: 20 } });
  const proxy = await startProxy(app.port);
  cleanUps.push(() => proxy.close());
  const client = await open(program, `http://127.0.0.1:${proxy.port}/stream`);
  const connections = app.nest.get(SseConnections);
  await until(`${program.name}: a connection`, () => connections.count > 0);
  return { app, proxy, client };
}

/** Without what some make of comments and of ids alone. */
const eventsOf = ({ heard }: Client) => heard.filter(({ data }) => data !== '');

/** A client that does not come back by itself asks a second time. */
async function comesBack(client: Client): Promise<void> {
  if (client.again === undefined) return;
  await until('it has seen the end', () => client.isOver());
  client.again();
}

/** The table says so too: they take an id before its event is there. */
const LOSE_CUT_EVENTS = ['`eventsource` 2.0', '`fetch-event-source` 2.0'];

/** Some of several lines. */
const dataOf = (n: number): string => (n % 10 === 0 ? `${n}\nof several\n\nlines` : `${n} ✓`);

describe('a client that is not ours', () => {
  // feature: 95
  it('reads 1 000 events, each once and in order, while its socket is cut', async () => {
    const read = async (program: Program): Promise<void> => {
      const { app, proxy, client } = await openApp(program);
      const hub = app.nest.get(Broadcaster);
      const returned: (string | undefined)[] = [];
      const opened$ = app.nest.get(SseConnections).opened$;
      const opened = opened$.subscribe(({ lastEventId }) => returned.push(lastEventId));
      cleanUps.push(() => opened.unsubscribe());
      const ids: string[] = [];
      for (let n = 1; n <= EVENTS; n++) {
        ids.push(await hub.to('main').emit('n', dataOf(n)));
        if (n % PART !== 0 || n === EVENTS) continue;
        // What is on its way then is cut too.
        await until(`${program.name}: a part`, () => eventsOf(client).length > n - PART / 2);
        proxy.cut();
        await comesBack(client);
      }
      await until(`${program.name}: all`, () => eventsOf(client).length >= EVENTS);
      const sent = ids.map((id, index) => ({ type: 'n', data: dataOf(index + 1), id }));
      expect(eventsOf(client)).toEqual(sent);
      expect(returned.length).toBeGreaterThanOrEqual(EVENTS / PART - 1);
      expect(returned).not.toContain(undefined);
    };
    await Promise.all(programs.filter(({ name }) => !LOSE_CUT_EVENTS.includes(name)).map(read));
  }, 60_000);
});

describe('a program of the guide', () => {
  const ofGuide = (): Program[] => programs.filter(({ name }) => ['Go', 'Python'].includes(name));

  it('comes back after `retry:` to a stream that brings only ids, however often', async () => {
    for (const program of ofGuide()) {
      const { url, requests } = await answer(endOf('retry: 20\n\nid: 7\n\n'));
      await open(program, url);
      // With a limit that doubles this would be a minute.
      await until(`${program.name}: 14 requests`, () => requests.length >= 14);
      expect(requests.at(-1)?.headers['last-event-id']).toBe('7');
    }
  }, 60_000);

  it('outlasts a server that is away for hours, and a date in Retry-After', async () => {
    const date = { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' };
    const away = Array.from({ length: 1_100 }, () => status(503, date));
    for (const program of ofGuide()) {
      const { url } = await answer(endOf('retry: 0\n\n'), ...away, streamOf('data: a\n\n'));
      const client = await open(program, url);
      await until(`${program.name}: an event`, () => client.heard.length > 0 || client.isOver());
      expect([program.name, client.heard]).toMatchObject([program.name, [{ data: 'a' }]]);
    }
  }, 60_000);
});

const RETRY = 'retry: 20\n\n';
/** Longer than what any of them waits by itself at first. */
const LONG_RETRY_MS = 4_000;
const RETRY_AFTER_S = 3;
/** Their clock and ours. */
const ROUNDING_MS = 10;

type Answer = (response: ServerResponse) => void;

/**
 * A client at a server of any bytes, and when it was asked: the last answer is the one to all that
 * follow.
 */
async function visit(program: Program, ...answers: [Answer, ...Answer[]]) {
  const requests: { readonly at: number; readonly lastEventId: unknown }[] = [];
  let last: ServerResponse | undefined;
  const { url } = await answer((response, request) => {
    // Browsers also ask for an icon.
    if (request.url !== '/stream') {
      response.writeHead(404).end();
      return;
    }
    requests.push({ at: performance.now(), lastEventId: request.headers['last-event-id'] });
    last = response;
    answers[Math.min(requests.length, answers.length) - 1]!(response);
  });
  const client = await open(program, `${url}stream`);
  return {
    client,
    requests,
    hears: (count: number) =>
      until(`${program.name} hears`, () => eventsOf(client).length >= count),
    cut: () => last?.destroy(),
    end: () => last?.end(),
    /** Waits for the n-th request; false where it does not come. */
    asks: async (count: number): Promise<boolean> => {
      const hasAsked = () => requests.length >= count;
      await until(`${program.name} asks or is over`, () => hasAsked() || client.isOver());
      return hasAsked();
    },
  };
}

/** Of a client that prints what comes: whoever reads that decides. */
const PRINTS = '–';

/** Each row of the table: what a client does, in the words of the page. */
const ROWS: Record<string, (program: Program) => Promise<string>> = {
  async 'the connection breaks'(program) {
    const { hears, cut, asks } = await visit(program, streamOf(`${RETRY}data: a\n\n`));
    await hears(1);
    cut();
    return (await asks(2)) ? 'reconnects' : 'stops';
  },
  async 'the stream ends'(program) {
    const { hears, end, asks } = await visit(program, streamOf(`${RETRY}data: a\n\n`));
    await hears(1);
    end();
    return (await asks(2)) ? 'reconnects' : 'stops';
  },
  async 'the pause before it reconnects'(program) {
    const text = `retry: ${LONG_RETRY_MS}\n\ndata: a\n\n`;
    const { hears, cut, asks, requests } = await visit(program, streamOf(text));
    await hears(1);
    const cutAt = performance.now();
    cut();
    if (!(await asks(2))) return '–';
    return requests[1]!.at - cutAt > LONG_RETRY_MS - ROUNDING_MS ? '`retry:`' : 'its own';
  },
  async '204'(program) {
    const { asks } = await visit(program, status(204));
    return (await asks(2)) ? 'retries' : 'stops';
  },
  async '401'(program) {
    const { asks } = await visit(program, status(401));
    return (await asks(2)) ? 'retries' : 'stops';
  },
  async '503 with `Retry-After`'(program) {
    const { client, hears, cut, asks, requests } = await visit(
      program,
      streamOf(`${RETRY}data: a\n\n`),
      status(503, { 'retry-after': String(RETRY_AFTER_S) }),
      streamOf('data: b\n\n'),
    );
    await hears(1);
    cut();
    await comesBack(client);
    await asks(2);
    if (!(await asks(3))) return 'stops';
    const pauseMs = requests[2]!.at - requests[1]!.at;
    return pauseMs > RETRY_AFTER_S * 1_000 - ROUNDING_MS ? 'after `Retry-After`' : 'retries sooner';
  },
  async 'an id in a block without data'(program) {
    const text = `${RETRY}id: 7\n\ndata: a\n\n`;
    const { client, hears, cut, asks, requests } = await visit(program, streamOf(text));
    if (client.again !== undefined) return PRINTS;
    await hears(1);
    cut();
    await asks(2);
    return requests[1]?.lastEventId === '7' ? 'stored' : 'ignored';
  },
  async 'a comment, or a block without data'(program) {
    const { client, hears } = await visit(program, streamOf(': a\n\nid: 7\n\ndata: a\n\n'));
    if (client.again !== undefined) return PRINTS;
    await hears(1);
    return client.heard.length === 1 ? 'no event' : 'an empty event';
  },
  async 'empty lines of data'(program) {
    const text = 'data: a\ndata:\ndata: b\n\ndata:\ndata: c\n\n';
    const { client, hears } = await visit(program, streamOf(text));
    if (client.again !== undefined) return PRINTS;
    await hears(2);
    const [first, second] = eventsOf(client).map(({ data }) => data);
    expect(first).toBe('a\n\nb');
    return second === '\nc' ? 'kept' : 'lost at the beginning';
  },
  async 'an event cut in half'(program) {
    const text = `${RETRY}data: a\nid: 1\n\ndata: b\nid: 2\n`;
    const { client, hears, cut, requests } = await visit(
      program,
      streamOf(text),
      streamOf(`${RETRY}data: c\nid: 3\n\n`),
    );
    if (client.again !== undefined) return PRINTS;
    const heard = () => eventsOf(client).map(({ data }) => data);
    await hears(1);
    cut();
    await until(`${program.name} hears the next`, () => heard().some((data) => data.includes('c')));
    if (heard().join() !== 'a,c') return 'delivered incomplete';
    return requests[1]?.lastEventId === '1' ? 'sent again' : 'lost';
  },
  async 'events cut at every byte'(program) {
    const events = Array.from({ length: 100 }, (_none, n) => `${n + 1} ✓`);
    const blocks = events.map((data, n) =>
      Buffer.from(encodeFrame({ id: `${n + 1}`, type: 'n', data })),
    );
    const longest = Math.max(...blocks.map(({ length }) => length));
    const heard = () => (client ? eventsOf(client).map(({ data }) => data) : []);
    let client: Client | undefined;
    let cuts = 0;
    const { url } = await answer((response, { url: path, headers }) => {
      if (path !== '/stream') return status(404)(response);
      const next = Number(headers['last-event-id'] ?? 0);
      streamOf('retry: 5\n\n')(response);
      if (cuts === longest) return void response.write(Buffer.concat(blocks.slice(next)));
      const part = blocks[next + 1]!.subarray(0, cuts++);
      response.write(Buffer.concat([blocks[next]!, part]));
      // A cut at once might discard what was not read yet, and so hide what the part does to a
      // client.
      void until(`${program.name}: ${next + 1}`, () => heard().includes(events[next]!)).then(
        () => response.socket?.destroySoon(),
        // One that only prints was closed before.
        () => response.destroy(),
      );
    });
    client = await open(program, `${url}stream`);
    if (client.again !== undefined) return PRINTS;
    // Firefox waits half a second before each return.
    const isDone = () => heard().includes(events.at(-1)!);
    await until(`${program.name}: the last one`, isDone, 60_000);
    const isMissing = events.some((data) => !heard().includes(data));
    const areOthers = heard().some((data) => !events.includes(data));
    const areTwice = new Set(heard()).size < heard().length;
    const faults = [
      isMissing && 'some lost',
      areTwice && 'some twice',
      areOthers && 'some mixed up',
    ];
    return faults.filter(Boolean).join(', ') || 'each once';
  },
  async '`sse-gap`'(program) {
    const { app, proxy, client } = await openApp(program);
    await app.nest.get(Broadcaster).to('main').emit('n', 'a');
    await until(`${program.name}: the event`, () => eventsOf(client).length === 1);
    // As after a restart: another log, in which the cursor says nothing.
    const next = await serve(Streams);
    proxy.target = next.port;
    proxy.cut();
    await comesBack(client);
    await until(`${program.name}: the gap`, () => eventsOf(client).length === 2);
    expect(eventsOf(client)[1]).toMatchObject({
      type: 'sse-gap',
      data: '{"rooms":["main"],"reason":"epoch"}',
    });
    return 'an event';
  },
};

/** The table of the page: rows by their first cell, and their cells by the client of the column. */
function tableOfPage(): Record<string, Record<string, string>> {
  const page = readFileSync(join(import.meta.dirname, '../../docs/guide/clients.md'), 'utf8');
  const section = page.split('## What other clients can do\n')[1]!.split('\n## ')[0]!;
  const [head, , ...rows] = [...section.matchAll(/^\|(.*)\|$/gm)].map(([, line]) =>
    line!.split('|').map((cell) => cell.trim()),
  );
  return Object.fromEntries(
    rows.map(([row, ...cells]) => [
      row,
      Object.fromEntries(cells.map((cell, index) => [head![index + 1], cell])),
    ]),
  );
}

describe('the table of the guide', () => {
  it('has these rows', () => {
    expect(Object.keys(tableOfPage()).sort()).toEqual(Object.keys(ROWS).sort());
  });

  it.each(Object.entries(ROWS))(
    'is right about %s',
    async (row, find) => {
      const found = await Promise.all(
        programs.map(async (program) => [program.name, await find(program)] as const),
      );
      const names = new Set(programs.map(({ name }) => name));
      const told = Object.entries(tableOfPage()[row]!).filter(([name]) => names.has(name));
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(told));
    },
    90_000,
  );
});
