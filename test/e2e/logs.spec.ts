// What the log has of streams: objects that programs read, and never a line per event.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, Controller, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { concat, from, map, NEVER, of, timer } from 'rxjs';
import { SseModule, SseStream } from 'nestjs-eventstream';
import { serve } from '../support/serve.js';
import { streamClient } from '../support/stream-client.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  @SseStream('many') many() {
    return from(Array.from({ length: 100 }, (_none, n) => n));
  }
  @SseStream('quiet') quiet() {
    return NEVER;
  }
  @SseStream('failing') failing() {
    return concat(of('x'), timer(1).pipe(map(() => { throw new Error('as it happens'); }))); // prettier-ignore
  }
}

@Module({
  imports: [SseModule.forRoot({ limits: { connectRate: { perSecond: 0.001, burst: 2 } } })],
  controllers: [Streams],
})
class App {}

const tls = (file: string): Buffer =>
  readFileSync(new URL(`../support/tls/${file}`, import.meta.url));
const TLS = { key: tls('key.pem'), cert: tls('cert.pem') };

interface Line {
  readonly context: string;
  readonly level: string;
  readonly message: unknown;
  readonly params?: unknown;
}

describe('the log', () => {
  afterEach(() => {
    jest.restoreAllMocks();
    Logger.overrideLogger(['warn', 'error']);
  });

  // feature: 80
  it('tells the beginning, the end and refusals of streams, without what may be a secret', async () => {
    const lines: string[] = [];
    for (const out of [process.stdout, process.stderr]) {
      jest.spyOn(out, 'write').mockImplementation((text) => {
        lines.push(String(text));
        return true;
      });
    }
    const app = await NestFactory.create(App, { logger: new ConsoleLogger({ json: true }) });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const open = (path = 'many') =>
      streamClient({ url: `http://127.0.0.1:${port}/${path}?ticket=secret` });
    await open().ended;
    await open('failing').ended;
    for (let n = 0; n < 3; n++) await open().ended;
    const ours = () =>
      lines
        .flatMap((text) => text.trim().split('\n'))
        .map((line) => JSON.parse(line) as Line)
        .filter(({ context }) => context === 'Sse');
    await until('the lines are there', () => ours().some(({ level }) => level === 'warn'));
    await app.close();

    const remote = expect.stringMatching(/127\.0\.0\.1$/);
    const place = { route: '/many', remote };
    const failed = { route: '/failing', remote };
    const connection = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const errors = ours().filter(({ level }) => level === 'error');
    const others = ours().filter(({ level }) => level !== 'error');
    expect(others.map(({ level, message }) => [level, message])).toEqual([
      ['debug', { event: 'open', connection, ...place, connections: 1 }],
      [
        'debug',
        {
          event: 'close',
          connection,
          ...place,
          reason: 'complete',
          durationMs: expect.any(Number),
          events: 100,
          bytes: expect.any(Number),
          connections: 0,
        },
      ],
      ['debug', { event: 'open', connection, ...failed, connections: 1 }],
      [
        'debug',
        {
          event: 'close',
          connection,
          ...failed,
          reason: 'error',
          durationMs: expect.any(Number),
          events: 1,
          bytes: expect.any(Number),
          connections: 0,
        },
      ],
      ['warn', { event: 'refuse', reason: 'rate', ...place, refused: 1, connections: 0 }],
    ]);
    expect(JSON.stringify(errors)).toMatch(/Error: as it happens\\n +at /);
    // Nest 11 makes a line of its own of it.
    const places = errors.map(({ message, params = message }) => params);
    expect(places).toContainEqual({ event: 'error', connection, ...failed });
    expect(lines.join('')).not.toContain('secret');
  });

  it('has the address of a client that has left, on HTTP/2 as well', async () => {
    const debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => {});
    Logger.overrideLogger(['debug', 'fatal']);
    const app = await serve(Streams, { adapter: 'fastify', http: { http2: true, https: TLS } });
    const stream = app.open('/quiet');
    await stream.until(({ text }) => text !== '');
    stream.close();
    await until('it has left', () => debug.mock.calls.length === 2);
    const line = { route: '/quiet', remote: '127.0.0.1' };
    expect(debug.mock.calls).toMatchObject([
      [{ event: 'open', ...line }],
      [{ event: 'close', ...line }],
    ]);
  });
});
