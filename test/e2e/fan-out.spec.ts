import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Param } from '@nestjs/common';
import net from 'node:net';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { watchWrites } from '../support/socket-writes.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('all') all() {
    return this.hub.stream('all');
  }
  @SseStream('room/:n') room(@Param('n') n: string) {
    return this.hub.stream(['all', `room ${n}`], { filter: ({ type }) => type !== 'none' });
  }
  @Get('json') json() {
    return { j: 1 };
  }
}

/** A reader that only counts bytes. */
function read(port: number, path: string) {
  const socket = net.connect(port, '127.0.0.1');
  const reader = { socket, text: '', until: (part: string) => arrived(part) };
  let look = (): void => {};
  socket.on('data', (chunk) => {
    reader.text += String(chunk);
    look();
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const arrived = (part: string) =>
    new Promise<void>((resolve) => {
      look = () => reader.text.includes(part) && resolve();
      look();
    });
  return reader;
}

afterEach(() => {
  jest.restoreAllMocks();
});

/** What the server at this port writes, and what is turned into text, from now on. */
function watch(port: number) {
  const written = watchWrites(port);
  const encoded = jest.spyOn(JSON, 'stringify');
  return { written, encoded };
}

describe.each(ADAPTERS)('a thousand readers (%s)', (adapter) => {
  // feature: 54
  // fault: 23
  it('of twenty events in a turn: each event is encoded once, one buffer for all, one write each', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const readers = Array.from({ length: 1_000 }, () => read(app.port, '/all'));
    await Promise.all(readers.map((reader) => reader.until('\nid: ')));
    const { written, encoded } = watch(app.port);
    for (let n = 0; n < 20; n++) void hub.to('all').emit('n', { n });
    await Promise.all(readers.map((reader) => reader.until('"n":19}')));
    expect(encoded).toHaveBeenCalledTimes(20);
    expect(written).toHaveLength(1_000);
    expect(new Set(written).size).toBe(1);
    for (const { socket } of readers) socket.destroy();
  }, 30_000);

  // feature: 62
  it('in ten rooms with filters: one buffer for each set of readers that got the same', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const readers = Array.from({ length: 200 }, (_, n) => read(app.port, `/room/${n % 10}`));
    await Promise.all(readers.map((reader) => reader.until('\nid: ')));
    const { written, encoded } = watch(app.port);
    for (let n = 0; n < 10; n++) void hub.to(`room ${n}`).emit('n', { n });
    void hub.to('all').emit('none', {});
    void hub.to('all').emit('last', {});
    await Promise.all(readers.map((reader) => reader.until('event: last')));
    expect(encoded).toHaveBeenCalledTimes(12);
    expect(written).toHaveLength(200);
    expect(new Set(written).size).toBe(10);
    for (const { socket } of readers) socket.destroy();
  }, 30_000);

  it('leave other routes their turn while they are written to', async () => {
    const app = await serve(Streams, { adapter });
    const { hub } = app.nest.get(Streams);
    const connections = app.nest.get(SseConnections);
    const readers = Array.from({ length: 1_000 }, () => read(app.port, '/all'));
    await Promise.all(readers.map((reader) => reader.until('\nid: ')));
    // Each look at the clock says that the slice is over: the flush has to yield, and nobody may be
    // left out.
    let now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    const turns = jest.spyOn(globalThis, 'setImmediate');
    void hub.to('all').emit('n', { n: 1 });
    await Promise.all(readers.map((reader) => reader.until('"n":1}')));
    expect(turns.mock.calls.length).toBeGreaterThanOrEqual(Math.floor(1_000 / 64));
    expect(connections.count).toBe(1_000);
    for (const { socket } of readers) socket.destroy();
  }, 30_000);

  // feature: 70
  it('get the end of their streams in full when the app closes', async () => {
    const app = await serve(Streams, { adapter });
    const readers = Array.from({ length: 1_000 }, () => read(app.port, '/all'));
    await Promise.all(readers.map((reader) => reader.until('\nid: ')));
    const ends = Promise.all(readers.map((reader) => reader.until('\r\n0\r\n\r\n')));
    await Promise.all([app.nest.close(), ends]);
    expect(app.nest.get(SseConnections).count).toBe(0);
    for (const { socket } of readers) socket.destroy();
  }, 30_000);

  // feature: 42, 65
  // fault: 10
  it('that are one reader get keep-alives of every millisecond beside 100 000 events, and each frame parses', async () => {
    const app = await serve(Streams, { adapter, sse: { keepAlive: { intervalMs: 1 } } });
    const { hub } = app.nest.get(Streams);
    const stream = app.open('/all');
    await stream.until(({ text }) => text.includes('\nid: '));
    let published = 0;
    while (published < 100_000) {
      for (let n = 0; n < 500; n++) void hub.to('all').emit('n', published++);
      await stream.until(() => stream.events.length >= published - 1_000);
      if (published % 10_000 === 0) {
        const keepAlives = stream.text.length;
        await stream.until(({ text }) => text.includes(': keep-alive', keepAlives - 100));
      }
    }
    await stream.until(() => stream.events.length === published);
    expect(stream.events.every(({ data, type }, n) => data === n && type === 'n')).toBe(true);
  }, 60_000);
});
