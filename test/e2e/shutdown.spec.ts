// What happens to streams when the app ends. That of few streams is in lifecycle.spec.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { NEVER } from 'rxjs';
import { SseHealth, SseStream } from 'nestjs-eventstream';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { RecordingResponse, recordedStream } from '../support/recording-response.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { until } from '../support/until.js';
import { Registry } from '../../lib/connection/registry.js';
import { openRegistry } from '../support/registry.js';
import { responded } from '../support/stream-client.js';

const STREAMS = 5_000;
const TIMEOUT_MS = 2_500;

describe('a process with many streams', () => {
  // feature: 70
  // fault: 15
  it('ends on SIGTERM with each of them ended in full and told when to come back', async () => {
    const app = spawn(
      process.execPath,
      ['--import', join(import.meta.dirname, '../support/typescript.mjs'), 'drain.ts'],
      {
        cwd: join(import.meta.dirname, '../support/apps'),
        env: { ...process.env, TIMEOUT_MS: String(TIMEOUT_MS) },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const exited = once(app, 'exit');
    try {
      const [port] = (await once(app.stdout, 'data')) as [Buffer];
      const clients: Client[] = [];
      while (clients.length < STREAMS) {
        const some = Array.from({ length: 250 }, () => new Client(Number(port)));
        clients.push(...some);
        await Promise.all(some.map(({ opened }) => opened));
      }
      const began = performance.now();
      app.kill('SIGTERM');
      const [code] = (await exited) as [number];
      console.log(
        `${STREAMS} streams, SIGTERM to exit: ${Math.round(performance.now() - began)} ms`,
      );
      expect(code).toBe(0);
      const ends = await Promise.all(clients.map(({ ended }) => ended));
      expect(ends.filter(({ isWhole }) => !isWhole)).toEqual([]);
      // Each got two reconnection times, the second one with its end.
      const retries = ends.map(({ retries: [, last = 0] }) => last);
      expect(Math.min(...retries)).toBeGreaterThanOrEqual(2_000);
      expect(Math.max(...retries)).toBeLessThanOrEqual(5_000);
      // When they will be back: in none of twelve parts of that time more than thrice their share.
      const back = ends.map(({ at }, n) => at - began + (retries[n] ?? 0));
      expect(Math.max(...histogram(back, 12))).toBeLessThan((3 * STREAMS) / 12);
    } finally {
      app.kill('SIGKILL');
    }
  }, 60_000);
});

describe('a drain', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Streams without sockets, so that a clock can be moved. */
  function many(count: number) {
    const connections = openRegistry();
    const ends: { n: number; at: number; text: string }[] = [];
    const settings = streamSettings({});
    for (let n = 0; n < count; n++) {
      const raw = new RecordingResponse();
      const connection = recordedStream(connections, settings, raw);
      connections.add(connection);
      connection.open();
      const began = performance.now();
      raw.end = (chunk) => {
        ends.push({ n, at: performance.now() - began, text: String(chunk) });
        queueMicrotask(() => raw.emit('close'));
      };
    }
    return { connections, ends };
  }

  const fakeClock = (): void => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  };

  // feature: 70
  it('ends streams evenly over four fifths of the time, in random order', async () => {
    fakeClock();
    const { connections, ends } = many(2_000);
    const drained = connections.drain(5_000);
    await jest.advanceTimersByTimeAsync(4_000);
    await drained;
    expect(ends).toHaveLength(2_000);
    for (const count of histogram(
      ends.map(({ at }) => at),
      10,
    )) {
      expect(count).toBeGreaterThan(180);
      expect(count).toBeLessThan(220);
    }
    const order = ends.map(({ n }) => n);
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
    for (const { text } of ends) expect(text).toMatch(/^retry: \d+\n\n$/);
    expect(new Set(ends.map(({ text }) => text)).size).toBeGreaterThan(500);
  });

  it('of few streams is over soon', async () => {
    fakeClock();
    const { connections, ends } = many(20);
    const drained = connections.drain(5_000);
    await jest.advanceTimersByTimeAsync(200);
    await drained;
    expect(ends).toHaveLength(20);
  });

  it('with timeoutMs 0 is over at once', async () => {
    const { connections, ends } = many(20);
    await connections.drain(0);
    expect(ends).toHaveLength(20);
  });

  // feature: 71
  it('refuses newcomers and tells that the app is not ready, while streams still end', async () => {
    @Controller()
    class Quiet {
      @SseStream('quiet') quiet() {
        return NEVER;
      }
    }
    const app = await serve(Quiet, { sse: { rejectWith: 'status' } });
    const connections = app.nest.get(Registry);
    const open = (count: number) => Array.from({ length: count }, () => app.open('/quiet'));
    await Promise.all(open(30).map((stream) => stream.until(({ text }) => text !== '')));
    const closing = app.nest.close();
    await until('the first have ended', () => connections.count < 30);
    const late = app.open('/quiet');
    expect((await responded(late)).status).toBe(503);
    expect(JSON.parse(await late.ended)).toMatchObject({ reason: 'shutdown' });
    expect(await app.nest.get(SseHealth).check()).toEqual({
      sse: { status: 'down', trouble: 'the app is shutting down' },
    });
    expect(connections.count).toBeGreaterThan(0);
    await closing;
    expect(connections.count).toBe(0);
  });
});

describe.each(ADAPTERS)('forceCloseConnections (%s)', (adapter) => {
  it('lets the app close while somebody has a socket open and asks for nothing', async () => {
    const app = await serve([], { adapter, http: { forceCloseConnections: true } });
    const unused = net.connect(app.port, '127.0.0.1');
    const cut = once(unused, 'close');
    await once(app.nest.getHttpServer() as net.Server, 'connection');
    await app.nest.close();
    await cut;
    expect(unused.destroyed).toBe(true);
  });
});

/** How many of the values are in each part of their range. */
function histogram(values: readonly number[], parts: number): number[] {
  const [from, to] = [Math.min(...values), Math.max(...values)];
  const counts = Array<number>(parts).fill(0);
  for (const value of values) {
    const part = Math.min(parts - 1, Math.floor(((value - from) / (to - from)) * parts));
    counts[part] = (counts[part] ?? 0) + 1;
  }
  return counts;
}

/** A client on a socket, cheap enough for thousands. */
class Client {
  private text = '';
  readonly opened: Promise<void>;
  readonly ended: Promise<{ at: number; isWhole: boolean; retries: number[] }>;

  constructor(port: number) {
    const socket = net.connect(port, '127.0.0.1');
    socket.setEncoding('latin1').on('error', () => {});
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    this.opened = new Promise((resolve) => {
      socket.on('data', (text: string) => {
        this.text += text;
        if (this.text.includes('\nid: ')) resolve();
        if (this.text.endsWith('\r\n0\r\n\r\n')) socket.end();
      });
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        const retries = [...this.text.matchAll(/^retry: (\d+)$/gm)].map(([, ms]) => Number(ms));
        resolve({ at: performance.now(), isWhole: this.text.endsWith('\r\n0\r\n\r\n'), retries });
      });
    });
  }
}
