import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Query } from '@nestjs/common';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditTime } from 'rxjs';
import { Broadcaster, SseStream, type SseModuleOptions } from 'nestjs-eventstream';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';
import { Registry } from '../../lib/connection/registry.js';
import type { Outbox } from '../../lib/output/outbox.js';

const https = {
  key: readFileSync(new URL('../support/tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('../support/tls/cert.pem', import.meta.url)),
};

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms = 'main') {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('thinned') thinned() {
    return this.hub.stream('main').pipe(auditTime(20));
  }
  @Get('json') json() {
    return { j: 1 };
  }
}

const TRANSPORTS: [string, ServeOptions][] = [
  ...ADAPTERS.map((adapter): [string, ServeOptions] => [adapter, { adapter }]),
  ['HTTP/2 on fastify', { adapter: 'fastify', http: { https, http2: true } }],
];
const PADDING = 'x'.repeat(9_980);

async function start(options: ServeOptions, backpressure: SseModuleOptions['backpressure'] = {}) {
  const app = await serve(Streams, { ...options, sse: { backpressure, retry: 1 } });
  const { hub } = app.nest.get(Streams);
  const connections = app.nest.get(Registry);
  const reasons: string[] = [];
  connections.closed$.subscribe(({ reason }) => reasons.push(reason));
  const open = async (path = '/rooms', lastEventId?: string): Promise<TestStream> => {
    const headers: Record<string, string> =
      lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const stream = app.open(path, { headers });
    await stream.until(({ text }) => text.includes('\n\n'));
    return stream;
  };
  let published = 0;
  const emit = (): Promise<string> =>
    hub.to('main', 'not of this client').emit(`type ${published % 7}`, `${published++} ${PADDING}`);
  /** Publishes until the condition holds; others are served in between. */
  const flood = async (isEnough: () => boolean): Promise<void> => {
    while (!isEnough()) {
      for (let n = 0; n < 20; n++) await emit();
      expect(await app.open('/json').ended).toBe('{"j":1}');
    }
  };
  return { app, hub, connections, reasons, open, emit, flood, count: () => published };
}

const MARKED = /~s\.[A-Za-z0-9_-]{8}$/;
const markOf = (id = ''): string => MARKED.exec(id)?.[0] ?? '';
const idsOf = ({ text }: TestStream): string[] =>
  [...text.matchAll(/^id: (.*)$/gm)].map(([, id = '']) => id);

const uids = ({ events }: TestStream): number[] =>
  events
    .filter(({ type }) => type !== 'sse-gap')
    .map(({ data }) => Number(String(data).split(' ', 1)[0]));

describe.each(TRANSPORTS)('a client that reads nothing (%s)', (_title, options) => {
  // feature: 63, 64
  // fault: 7
  it('is disconnected at its limit, and gets what it missed when it comes back', async () => {
    const { open, connections, reasons, flood, hub, emit, count } = await start(options, {
      maxBufferedBytes: 500_000,
    });
    const stalled = await open();
    const [connection] = connections.list();
    stalled.pause();
    let most = 0;
    await flood(() => {
      most = Math.max(most, connection?.bufferedBytes ?? 0);
      return reasons.length > 0;
    });
    expect(reasons).toEqual(['overflow']);
    // The backlog, what was written last, and the buffer of the socket below.
    expect(most).toBeLessThan(500_000 + 400_000);
    expect(connection?.bufferedBytes).toBeLessThan(400_000);
    expect(hub.size()).toBe(0);
    stalled.resume();
    await stalled.closed;
    const seen = uids(stalled);
    expect(seen).toEqual(seen.map((_, n) => n));
    const back = await open('/rooms', stalled.events.at(-1)?.id);
    await back.until(() => back.events.length > 0);
    await emit();
    await back.until(() => uids(back).at(-1) === count() - 1);
    // What it missed, or the word that it was more than a replay carries.
    const [first] = back.events;
    expect(first?.type === 'sse-gap' ? seen.length : uids(back)[0]).toBe(seen.length);
  });

  // feature: 64
  // fault: 6
  it.each(['drop-oldest', 'drop-newest', 'conflate'] as const)(
    'is told what it lost, and nothing is lost beyond that, with %s',
    async (overflow) => {
      const { open, connections, reasons, flood, emit, count } = await start(options, {
        maxBufferedBytes: 300_000,
        overflow,
      });
      const stream = await open();
      const [connection] = connections.list();
      stream.pause();
      const before = () => connection?.bufferedBytes ?? 0;
      await flood(() => before() >= 300_000 || count() > 3_000);
      const blockedAt = count();
      await flood(() => count() > blockedAt + 400);
      stream.resume();
      // Until all that waited has gone out; then one more, which nobody leaves out.
      await stream.until(() => before() === 0);
      await emit();
      await stream.until(() => uids(stream).at(-1) === count() - 1);
      const seen = uids(stream);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(connection?.droppedEvents).toBeGreaterThan(100);
      expect(seen.length + (connection?.droppedEvents ?? 0)).toBe(count());
      // The gap names the rooms of this client, and no others of the event.
      const gaps = stream.events.filter(({ type }) => type === 'sse-gap').map(({ data }) => data);
      expect(gaps).toEqual(gaps.map(() => ({ rooms: ['main'], reason: 'overflow' })));
      expect(gaps).not.toEqual([]);
      expect(reasons).toEqual([]);
    },
  );

  it.each([false, true])(
    'gets all of a text, with append, also if it is cut: %s',
    async (isCut) => {
      const { app, hub, connections, reasons, open } = await start(options, { overflow: 'append' });
      const stream = await open();
      const [connection] = connections.list();
      const waiting = (): number => connection?.bufferedBytes ?? 0;
      let text = '';
      let words = 0;
      const write = async (word: string): Promise<void> => {
        text += word;
        words++;
        await hub.to('main').emit('token', word);
      };
      const turn = (): Promise<unknown> => new Promise(setImmediate);
      stream.pause();
      while (waiting() < 200_000) {
        await write(`t${text.length} ${PADDING}`);
        await turn();
      }
      const full = waiting();
      const long = text.length;
      for (let n = 0; n < 800; n++) {
        await write(`w${n},`);
        if (n % 20 === 0) await turn();
      }
      expect(reasons).toEqual([]);
      const before = waiting();
      // Frames of their own would have 50 bytes more each.
      expect(before - full).toBeLessThan(800 * 20);
      stream.resume();
      // What is left of it fits into one replay.
      const lengthOf = ({ events }: TestStream): number =>
        events.reduce((sum, { data }) => sum + String(data).length, 0);
      await stream.until(() => lengthOf(stream) > long - 500_000);
      const got = (of: TestStream): string => of.events.map(({ data }) => String(data)).join('');
      if (!isCut) await stream.until(() => got(stream).length === text.length);
      const gotWhole = {
        isSame: isCut || got(stream) === text,
        isShorter: stream.events.length < words - 700,
      };
      stream.close();
      await until('it is gone', () => connections.count === 0);
      const back = app.open('/rooms', {
        headers: { 'last-event-id': stream.events.at(-1)?.id ?? '' },
      });
      await write('the end');
      await back.until(() => got(back).endsWith('the end'));
      const all = got(stream) + got(back);
      expect({ length: all.length, isSame: all === text }).toEqual({
        length: text.length,
        isSame: true,
      });
      expect(gotWhole).toEqual({ isSame: true, isShorter: true });
    },
  );

  // fault: 5
  it('does not keep others from anything', async () => {
    const { open, emit, reasons, count } = await start(options, {
      maxBufferedBytes: 1_000_000,
      stallTimeoutMs: false,
    });
    const stalled = await open();
    stalled.pause();
    const others = await Promise.all(Array.from({ length: 9 }, () => open()));
    while (reasons.length === 0) {
      for (let n = 0; n < 20; n++) await emit();
      await Promise.all(others.map((other) => other.until(() => other.events.length === count())));
    }
    expect(reasons).toEqual(['overflow']);
    for (const other of others) expect(uids(other)).toEqual(uids(other).map((_, n) => n));
  });
});

describe.each(ADAPTERS)('one client of a hundred that reads nothing (%s)', (adapter) => {
  // feature: 64
  // fault: 5
  it('holds up neither the others nor who publishes', async () => {
    const { open, hub, reasons, connections } = await start(
      { adapter },
      { maxBufferedBytes: 100_000_000 },
    );
    const stalled = await open();
    const [connection] = connections.list();
    stalled.pause();
    // More than the network holds for it.
    void connection?.send({ data: 'x'.repeat(20_000_000) });
    const others = await Promise.all(Array.from({ length: 99 }, () => open()));
    // It stands still all the while. What a call takes of the thread, `npm run bench --
    // slow-reader` measures.
    for (let n = 0; n < 1_000; n++) {
      await hub.to('main').emit('n', String(n));
      if (n % 50 === 49) {
        await Promise.all(others.map((other) => other.until(() => other.events.length === n + 1)));
      }
    }
    expect(connection?.bufferedBytes).toBeGreaterThan(1_000_000);
    expect(reasons).toEqual([]);
    for (const other of others)
      expect(uids(other)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  }, 30_000);
});

describe.each(ADAPTERS)('a client that reads now and then (%s)', (adapter) => {
  it('that pauses and goes on gets everything, in order', async () => {
    const { open, emit, count, reasons } = await start(
      { adapter },
      { maxBufferedBytes: 100_000_000 },
    );
    const stream = await open();
    for (let pause = 0; pause < 5; pause++) {
      stream.pause();
      for (let n = 0; n < 300; n++) await emit();
      stream.resume();
      await stream.until(() => stream.events.length === count());
    }
    expect(uids(stream)).toEqual(uids(stream).map((_, n) => n));
    expect(reasons).toEqual([]);
  });

  // feature: 63
  // fault: 6
  it('gets all of a burst of a thousand', async () => {
    const { open, hub } = await start({ adapter });
    const stream = await open();
    for (let n = 0; n < 1_000; n++) void hub.to('main').emit('n', `${n} ${PADDING.slice(0, 200)}`);
    await stream.until(() => stream.events.length === 1_000);
    expect(uids(stream)).toEqual(uids(stream).map((_, n) => n));
  });

  // feature: 65
  it('can be sent less by an operator, and gets the last value', async () => {
    const { open, hub } = await start({ adapter });
    const stream = await open('/thinned');
    for (let n = 0; n < 1_000; n++) void hub.to('main').emit('n', n);
    await stream.until(() => stream.events.at(-1)?.data === 999);
    expect(stream.events.length).toBeLessThan(50);
  });

  it('that was cut three times in five minutes is told of the gap and goes live', async () => {
    const { open, connections, emit, flood, reasons, count } = await start(
      { adapter },
      { maxBufferedBytes: 20_000_000 },
    );
    const waits = () => connections.list()[0]?.bufferedBytes ?? 0;
    // It reads, but less than comes: its backlog is never empty.
    const slow = await open();
    slow.pause();
    await flood(() => waits() > 18_000_000);
    slow.resume();
    await slow.until(({ text }) => text.includes('~s.'));
    slow.pause();
    await flood(() => reasons.length === 1);
    expect(reasons).toEqual(['overflow']);
    slow.resume();
    await slow.closed;
    // It comes back, has read all, and is cut again before it gets the next one.
    let cursor = slow.events.at(-1)?.id;
    expect(cursor).toMatch(MARKED);
    const marks = new Set([markOf(cursor)]);
    for (let cut = 2; cut <= 3; cut++) {
      const stream = await open('/rooms', cursor);
      await emit();
      await stream.until(() => uids(stream).at(-1) === count() - 1);
      cursor = stream.events.at(-1)?.id;
      // Each of its frames has the mark now, the opening too.
      for (const id of idsOf(stream)) marks.add(markOf(id));
      connections.list()[0]?.destroy('overflow');
      await stream.closed;
    }
    expect(marks.size).toBe(1);
    await emit();
    const back = await open('/rooms', cursor);
    await back.until(() => back.events.length > 0);
    expect(back.events[0]).toMatchObject({
      type: 'sse-gap',
      data: { rooms: ['main'], reason: 'overflow' },
    });
    await emit();
    await back.until(() => uids(back).at(-1) === count() - 1);
    expect(uids(back)).toEqual([count() - 1]);
    // Who stood at the same place, and has no mark or another one, is another client.
    const plain = cursor?.replace(MARKED, '') ?? '';
    for (const own of [plain, `${plain}~s.AAAAAAAA`]) {
      const other = await open('/rooms', own);
      await other.until(() => uids(other).at(-1) === count() - 1);
      expect(other.text).not.toContain('sse-gap');
      expect(uids(other)).toEqual([count() - 2, count() - 1]);
      // A mark that anybody may have made up gives nobody frames of their own.
      for (const event of other.events) expect(event.id).not.toMatch(MARKED);
    }
  }, 30_000);

  it('is not harmed by another one at the same address that brings made-up cursors', async () => {
    const { app, open, hub, connections, emit, reasons } = await start(
      { adapter },
      { maxBufferedBytes: 20_000 },
    );
    const victim = await open();
    const cursor = await emit();
    await victim.until(() => victim.events.length === 1);
    victim.close();
    await victim.closed;
    const old = cursor.replace(/[^.]*$/, '0');
    for (const brought of [old, cursor]) {
      for (let cut = 0; cut < 3; cut++) {
        const attacker = await open('/rooms?rooms=main,junk', brought);
        const [connection] = connections.list();
        attacker.pause();
        const before = reasons.length;
        while (reasons.length === before) {
          for (let n = 0; n < 20; n++) void hub.to('junk').emit('n', PADDING);
          expect(await app.open('/json').ended).toBe('{"j":1}');
        }
        expect(reasons.at(-1)).toBe('overflow');
        expect(connection?.lastEventId).toBe(brought);
        attacker.close();
        await attacker.closed;
      }
    }
    await emit();
    const back = await open('/rooms', cursor);
    await back.until(() => back.events.length > 0);
    expect(uids(back)).toEqual([1]);
    expect(back.text).not.toContain('sse-gap');
  }, 30_000);
});

describe.each(TRANSPORTS)('what is sent within one turn (%s)', (_title, options) => {
  it('has a limit: a client that reads nothing is cut', async () => {
    const { open, connections, reasons } = await start(options, { maxBufferedBytes: 65_536 });
    const stalled = await open();
    stalled.pause();
    const [connection] = connections.list();
    const data = 'x'.repeat(1_000_000);
    let most = 0;
    for (let n = 0; n < 100; n++) {
      void connection?.send({ data });
      most = Math.max(most, connection?.bufferedBytes ?? 0);
    }
    expect(reasons).toEqual(['overflow']);
    // The part that is being written, and one event that waits.
    expect(most).toBeLessThan(2 * 1_000_100);
    expect(connection?.sentEvents).toBeLessThan(100);
  });

  it.each(['drop-oldest', 'drop-newest', 'conflate'] as const)(
    'has a limit with %s too, and what is left out is told',
    async (overflow) => {
      const { open, connections, reasons } = await start(options, {
        maxBufferedBytes: 65_536,
        overflow,
      });
      const stalled = await open();
      stalled.pause();
      const [connection] = connections.list();
      const padding = 'x'.repeat(1_000_000);
      let most = 0;
      for (let n = 0; n < 50; n++) {
        void connection?.send({ data: `${n} ${padding}` });
        most = Math.max(most, connection?.bufferedBytes ?? 0);
      }
      expect(most).toBeLessThan(2 * 1_000_100);
      stalled.resume();
      await until('all of it is written', () => connection?.bufferedBytes === 0);
      await connection?.send({ data: 'last' });
      await stalled.until(() => stalled.events.at(-1)?.data === 'last');
      expect(reasons).toEqual([]);
      const dropped = connection?.droppedEvents ?? 0;
      expect(dropped).toBeGreaterThan(0);
      expect(uids(stalled)).toHaveLength(51 - dropped);
      expect(stalled.text).toContain('event: sse-gap');
    },
  );

  it('reaches a client that reads well, all of a megabyte in a thousand events', async () => {
    const { open, hub, reasons } = await start(options);
    const stream = await open();
    const data = 'x'.repeat(900);
    for (let n = 0; n < 1_000; n++) void hub.to('main').emit('n', `${n} ${data}`);
    await stream.until(() => stream.events.length === 1_000);
    expect(uids(stream)).toEqual(uids(stream).map((_, n) => n));
    expect(reasons).toEqual([]);
  });

  it('may be more than waits for a slow client, for one that reads well', async () => {
    // What a session of HTTP/2 has taken cannot be seen before the next turn.
    const maxBufferedBytes = options.http?.http2 === true ? 2_100_000 : 1_000;
    const { open, hub, reasons } = await start(options, { maxBufferedBytes });
    const stream = await open();
    const data = 'x'.repeat(1_000_000);
    for (let n = 0; n < 4; n++) void hub.to('main').emit('n', `${n} ${data}`);
    await stream.until(() => stream.events.length === 4);
    expect(uids(stream)).toEqual([0, 1, 2, 3]);
    expect(reasons).toEqual([]);
  });

  it('may be more than one text can hold: nobody but the client that is sent it feels it', async () => {
    const { open, connections, emit } = await start(options);
    const flooded = await open();
    const [connection] = connections.list();
    const other = await open();
    const data = 'x'.repeat(1_000_000);
    for (let n = 0; n < 560; n++) void connection?.send({ data });
    await emit();
    await other.until(() => uids(other)[0] === 0);
    await flooded.closed;
    expect(connections.count).toBe(1);
  });
});

describe.each(TRANSPORTS)('a client that reads 1 kB per second (%s)', (_title, options) => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  // fault: 7
  it('is sent what it can take, ends bounded, and goes on where it stopped', async () => {
    const limit = 300_000;
    const { open, emit, connections, reasons, count } = await start(options, {
      maxBufferedBytes: limit,
    });
    const slow = await open();
    const other = await open();
    const [connection] = connections.list();
    slow.pause();
    let most = 0;
    // More than it takes, until what the network holds for it is full too.
    while (reasons.length === 0) {
      for (let n = 0; n < 20; n++) await emit();
      await other.until(() => other.events.length === count());
      jest.advanceTimersByTime(1_000);
      slow.read(1_000);
      most = Math.max(most, connection?.bufferedBytes ?? 0);
    }
    expect(reasons).toEqual(['overflow']);
    expect(most).toBeLessThan(limit + 400_000);
    slow.resume();
    await slow.closed;
    const seen = uids(slow);
    expect(seen).toEqual(seen.map((_, n) => n));
    expect(uids(other)).toEqual(uids(other).map((_, n) => n));

    const back = await open('/rooms', slow.events.at(-1)?.id);
    await back.until(() => back.events.length > 0);
    await emit();
    await back.until(() => uids(back).at(-1) === count() - 1);
    const [first] = back.events;
    expect(first?.type === 'sse-gap' ? seen.length : uids(back)[0]).toBe(seen.length);
  });
});

describe.each(ADAPTERS)('a client that is half open (%s)', (adapter) => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('that has ended its side goes on reading until it leaves', async () => {
    const { app, hub, connections } = await start({ adapter });
    const socket = net.connect({ port: app.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write('GET /rooms HTTP/1.1\r\nHost: x\r\n\r\n');
    while (connections.count === 0) await new Promise(setImmediate);
    await hub.to('main').emit('n', 1);
    while (!text.includes('data: 1')) await new Promise(setImmediate);
    const closed = connections.list()[0]?.closed;
    socket.destroy();
    expect(await closed).toBe('client');
  });

  // feature: 63
  // fault: 7
  it('that reads nothing for a minute is gone after 15 s', async () => {
    const { open, flood, connections, reasons } = await start(
      { adapter },
      { maxBufferedBytes: 10_000_000 },
    );
    const stream = await open();
    stream.pause();
    const [connection] = connections.list();
    await flood(() => (connection?.bufferedBytes ?? 0) > 1_000_000);
    jest.advanceTimersByTime(14_000);
    expect(reasons).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(reasons).toEqual(['stall']);
    expect(connections.count).toBe(0);
  });
});

/** Reads nothing until it is told to, then everything, and says so with a file. */
const CLIENT = `
  const [port, file] = process.argv.slice(1);
  const socket = require('node:net').connect(port, '127.0.0.1');
  socket.write('GET /rooms HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n');
  socket.once('data', () => {
    socket.pause();
    process.stdout.write('paused');
  });
  process.stdin.once('data', () => {
    let idle;
    socket.on('data', () => {
      clearTimeout(idle);
      idle = setTimeout(() => require('node:fs').writeFileSync(file, ''), 100);
    });
    socket.resume();
  });
`;

it('a client that reads while this process stands still is not disconnected for a stall', async () => {
  const stallTimeoutMs = 300;
  const folder = mkdtempSync(join(tmpdir(), 'stall-'));
  const file = join(folder, 'has-read');
  const { app, connections, reasons, hub } = await start(
    { adapter: 'express' },
    { stallTimeoutMs, maxBufferedBytes: 100_000_000 },
  );
  const child = spawn(process.execPath, ['-e', CLIENT, String(app.port), file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const connection = connections.list()[0]!;
    for (let n = 0; n < 1_000; n++) void hub.to('main').emit('n', PADDING);
    const { outbox } = connection as unknown as { outbox: Outbox };
    await until('it is blocked', () => outbox.blockedAt !== undefined);
    child.stdin.write('now');
    // From here, timers come before sockets.
    await new Promise(setImmediate);
    const since = performance.now();
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const passed = (): number => performance.now() - since;
    while (passed() < 2 * stallTimeoutMs || (!existsSync(file) && passed() < 10_000)) {
      Atomics.wait(cell, 0, 0, 10);
    }
    await until('all is written', () => connection.bufferedBytes === 0 || reasons.length > 0);
    expect(reasons).toEqual([]);
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
});
