// Clients of HTTP/2 that open their windows wide and read nothing, or hardly anything. Node hands
// all that there is to the socket, and does not close a session as long as something waits there.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { map, range } from 'rxjs';
import { frame, get, PREFACE, SETTINGS, wideWindows } from '../support/http2-frames.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const [key, cert] = ['key', 'cert'].map((name) =>
  readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url)),
) as [Buffer, Buffer];

const LARGE = 'x'.repeat(1_000_000);
/** More than the buffers of both ends take. */
const COUNT = 40;
/** More than the listeners that Node warns of. */
const STREAMS = 12;
const DOWNLOAD = LARGE.repeat(8);

@Controller()
class Streams {
  readonly asked: string[] = [];
  constructor(readonly hub: Broadcaster) {}
  @SseStream('room', { backpressure: { maxBufferedBytes: 1e9 } }) room() {
    return this.hub.stream('room');
  }
  @SseStream('stalling', { backpressure: { maxBufferedBytes: 1e9, stallTimeoutMs: 1_000 } })
  stalling() {
    return this.hub.stream('room');
  }
  @SseStream('answer', { onComplete: 'close', backpressure: { maxBufferedBytes: 1e9 } }) answer() {
    this.asked.push('answer');
    return range(COUNT).pipe(map(() => ({ data: LARGE })));
  }
  @Get('download') download() {
    this.asked.push('download');
    return DOWNLOAD;
  }
}

const clients: TLSSocket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

/** Asks for the path. */
async function ask(app: TestApp, path: string): Promise<TLSSocket> {
  const socket = connectTcp({ port: app.port, host: '127.0.0.1' });
  const client = connect({ socket, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  clients.push(client.on('error', () => {}));
  await once(client, 'secureConnect');
  client.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), wideWindows(), get(1, path)]));
  await once(client, 'readable');
  return client;
}

async function emit(app: TestApp): Promise<void> {
  for (let n = 0; n < COUNT; n++) await app.nest.get(Broadcaster).to('room').emit('large', LARGE);
}

const start = (): Promise<TestApp> =>
  serve(Streams, {
    adapter: 'fastify',
    http: { https: { key, cert }, http2: true },
  });

describe('an HTTP/2 client that opens its windows wide', () => {
  it('and reads nothing does not keep an app from closing; one that reads gets all', async () => {
    const app = await start();
    const connections = app.nest.get(SseConnections);
    for (const path of ['/room', '/stalling']) await ask(app, path);
    await until('both are open', () => connections.count === 2);
    await emit(app);
    // No stream any more, as soon as the socket has it all.
    await ask(app, '/answer');
    const reading = await ask(app, '/room');
    reading.write(get(3, '/download'));
    const { asked } = app.nest.get(Streams);
    await until('all have asked', () => asked.length === 2);
    let received = 0;
    // A little at a time, for longer than a client may read nothing.
    const slowUntil = performance.now() + 11_000;
    reading.on('data', (data: Buffer) => {
      received += data.length;
      if (performance.now() < slowUntil) {
        reading.pause();
        setTimeout(() => reading.resume(), 40);
      }
    });
    await app.close();
    expect(received).toBeGreaterThan(DOWNLOAD.length);
  });

  it('and reads nothing loses its session when its streams are cut', async () => {
    const app = await start();
    const sockets: Socket[] = [];
    app.nest.getHttpServer().on('secureConnection', (socket: Socket) => sockets.push(socket));
    const client = await ask(app, '/stalling');
    for (let stream = 3; stream <= 2 * STREAMS; stream += 2) client.write(get(stream, '/stalling'));
    const connections = app.nest.get(SseConnections);
    await until('all are open', () => connections.count === STREAMS);
    const listeners = sockets[0]?.listenerCount('close') ?? 0;
    await emit(app);
    await until('all are cut', () => connections.count === 0);
    expect(sockets[0]?.listenerCount('close')).toBe(listeners + 1);
    await until('its socket is gone', () => sockets[0]?.destroyed === true, 40_000);
  });
});
