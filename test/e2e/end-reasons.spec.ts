// Each reason for which a stream ends: it is told once on every way, and the place is free again.
import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { finalize, Subject } from 'rxjs';
import {
  Connection,
  SseConnections,
  SseStream,
  type SseConnection,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type TestApp } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

const CHUNK = 'x'.repeat(100_000);

interface World {
  readonly app: TestApp;
  readonly client: TestStream;
  readonly connection: SseConnection;
  readonly source: Subject<string>;
}

/** Sends to a client that does not read, as long as it is asked to. */
async function flood({ client, source }: World, goesOn: () => boolean): Promise<void> {
  client.pause();
  while (goesOn()) {
    source.next(CHUNK);
    await new Promise(setImmediate);
  }
}

const socketOf = ({ request }: SseConnection): Socket =>
  (request.raw ?? (request as unknown as IncomingMessage)).socket;

const WAYS: [string, SseModuleOptions, (world: World) => unknown][] = [
  ['client', {}, ({ client }) => client.close()],
  ['complete', {}, ({ source }) => source.complete()],
  ['error', {}, ({ source }) => source.error(new Error('as it happens'))],
  ['server', {}, ({ connection }) => connection.close()],
  ['server', {}, ({ connection }) => socketOf(connection).destroy()],
  ['server', {}, ({ connection }) => socketOf(connection).destroy(new Error('by the app'))],
  ['enough', {}, ({ connection }) => connection.close('enough')],
  ['duration', { maxDurationMs: 50 }, () => {}],
  [
    'stall',
    { backpressure: { stallTimeoutMs: 100, maxBufferedBytes: 100_000_000 } },
    (world) => {
      const { connection } = world;
      return flood(
        world,
        () => connection.state !== 'closed' && connection.bufferedBytes < 1_000_000,
      );
    },
  ],
  [
    'overflow',
    { backpressure: { maxBufferedBytes: 200_000 } },
    (world) => flood(world, () => world.connection.state !== 'closed'),
  ],
  ['shutdown', {}, ({ app }) => app.nest.close()],
];

describe.each(ADAPTERS)('the end of a stream on %s', (adapter) => {
  // feature: 35, 36, 66
  // fault: 8
  it.each(WAYS)('by %s is told once, and its place is free again', async (reason, sse, end) => {
    const told: string[] = [];
    let source = new Subject<string>();
    let connection!: SseConnection;
    @Controller()
    class Streams {
      @SseStream('stream') stream(@Connection() own: SseConnection) {
        connection = own;
        connection.signal.addEventListener('abort', () =>
          told.push(`signal ${connection.signal.reason}`),
        );
        void connection.closed.then((why) => told.push(`closed ${why}`));
        source = new Subject();
        return source.pipe(finalize(() => told.push('finalize')));
      }
    }
    const app = await serve(Streams, { adapter, sse: { limits: { maxConnections: 1 }, ...sse } });
    const connections = app.nest.get(SseConnections);
    connections.closed$.subscribe((ended) => told.push(`closed$ ${ended.reason}`));

    const client = app.open('/stream');
    client.ended.catch(() => {});
    await client.until(({ text }) => text.endsWith('\n\n'));
    await end({ app, client, connection, source });
    expect(await connection.closed).toBe(reason);
    await until('it is gone', () => connections.count === 0);
    for (let n = 0; n < 3; n++) connection.close('late');

    expect(told.sort()).toEqual([
      `closed ${reason}`,
      `closed$ ${reason}`,
      'finalize',
      `signal ${reason}`,
    ]);
    expect([source.observed, connection.state]).toEqual([false, 'closed']);
    if (reason === 'shutdown') return;
    const next = app.open('/stream');
    await next.until(({ text }) => text.endsWith('\n\n'));
    expect(next.text).toMatch(/^: connected\n/);
  });
});
