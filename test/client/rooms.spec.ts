// `join()` and `leave()` of the client against a real app.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Post, Query } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream, type RoomsChange } from 'nestjs-eventstream';
import { connect, type ConnectOptions, type EventStream } from 'nestjs-eventstream/client';
import { serve } from '../support/serve.js';

interface Events {
  n: number;
}

@Controller()
class App {
  constructor(
    readonly hub: Broadcaster<Events>,
    readonly connections: SseConnections,
  ) {}
  @SseStream('events') events(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { changeable: true, rewind: 10 });
  }
  @Post('events') change(@Body() change: RoomsChange) {
    return this.hub.changeRooms(change);
  }
  @SseStream('plain') plain(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { rewind: 10 });
  }
}

const open: EventStream<Events>[] = [];
afterEach(() => open.splice(0).forEach((stream) => stream.close()));

async function start() {
  const app = await serve(App, { sse: { retry: 20 } });
  const { hub, connections } = app.nest.get(App);
  const follow = (path: string, options: ConnectOptions = {}) => {
    const stream = connect<Events>(`${app.url}${path}`, options);
    open.push(stream);
    const got: number[] = [];
    const waiting: { count: number; done: () => void }[] = [];
    stream.on('n', ({ data }) => {
      got.push(data);
      for (const { count, done } of waiting) if (got.length >= count) done();
    });
    const has = (count: number) =>
      new Promise<number[]>((resolve) => {
        const done = (): void => resolve(got);
        if (got.length >= count) done();
        else waiting.push({ count, done });
      });
    return { stream, got, has };
  };
  const emit = (room: string, n: number) => hub.to(room).emit('n', n);
  return { app, hub, connections, follow, emit };
}

describe('the rooms of a client', () => {
  it('join and leave while the stream is open', async () => {
    const { follow, emit } = await start();
    await emit('b', 1);
    const { stream, has } = follow('/events?rooms=a');
    expect(await stream.join('b', 'c')).toEqual(['a', 'b', 'c']);
    await emit('c', 2);
    expect(await has(2)).toEqual([1, 2]);
    expect(await stream.leave('b')).toEqual(['a', 'c']);
    expect(stream.rooms).toEqual(['a', 'c']);
    await emit('b', 3);
    await emit('a', 4);
    expect(await has(3)).toEqual([1, 2, 4]);
  });

  it('are the same after a drop, with what came meanwhile', async () => {
    const { follow, emit, connections } = await start();
    const { stream, has } = follow('/events?rooms=a');
    await stream.join('b');
    await stream.leave('a');
    await emit('b', 1);
    await has(1);
    connections.closeAll();
    await emit('b', 2);
    await emit('a', 3);
    await emit('b', 4);
    expect(await has(3)).toEqual([1, 2, 4]);
    expect(stream.rooms).toEqual(['b']);
  });

  it('join when the stream is open again, if it drops during the request', async () => {
    const { follow, emit, connections } = await start();
    let isFirst = true;
    const { stream, has } = follow('/events?rooms=a', {
      fetch: async (url, init) => {
        if (init.method === 'POST' && isFirst) {
          isFirst = false;
          connections.closeAll();
          throw new TypeError('the network is gone');
        }
        return fetch(url, init);
      },
    });
    expect(await stream.join('b')).toEqual(['a', 'b']);
    await emit('b', 1);
    expect(await has(1)).toEqual([1]);
  });

  it('join and leave before anybody reads the events', async () => {
    const { app, emit } = await start();
    const stream = connect<Events>(`${app.url}/events?rooms=a`);
    open.push(stream);
    expect(await stream.join('b')).toEqual(['a', 'b']);
    const next = new Promise<number>((resolve) => stream.on('n', ({ data }) => resolve(data)));
    await emit('b', 1);
    expect(await next).toBe(1);
  });

  it('join in a loop that reads the events; if that holds up the answer, it is told', async () => {
    const { app, connections, emit } = await start();
    const stream = connect<Events>(`${app.url}/events?rooms=a`);
    const got: number[] = [];
    stream.onState((state) => state === 'open' && got.length === 0 && void emit('a', 1));
    for await (const { type, data } of stream) {
      if (type !== 'n') continue;
      got.push(data);
      if (got.length > 1) break;
      connections.closeAll();
      expect(await stream.join('b')).toEqual(['a', 'b']);
      connections.closeAll();
      // It comes before the stream tells that its rooms can change, and waits for the loop.
      await emit('a', 2);
      await expect(stream.join('c')).rejects.toMatchObject({
        code: 'SSE_ROOMS',
        message: expect.stringContaining('in a loop that reads the stream'),
      });
    }
    expect(got).toEqual([1, 2]);
  }, 30_000);

  it('that are new in the URL come with what a new client gets', async () => {
    const { follow, emit } = await start();
    const first = follow('/plain?rooms=a');
    await emit('b', 1);
    await emit('a', 2);
    await first.has(1);
    const { lastEventId } = first.stream;
    first.stream.close();
    await emit('a', 3);
    await emit('b', 4);
    const { has } = follow('/plain?rooms=a,b', { lastEventId });
    expect(await has(3)).toEqual([3, 1, 4]);
    await emit('b', 5);
    await emit('a', 6);
    expect(await has(5)).toEqual([3, 1, 4, 5, 6]);
  });

  it('refuse with the status of the server, and after the end', async () => {
    const { follow } = await start();
    const { stream } = follow('/events?rooms=a');
    await expect(stream.join('sse:x')).rejects.toMatchObject({ code: 'SSE_STATUS', status: 400 });
    const other = follow('/events?rooms=a', { roomsUrl: 'http://127.0.0.1:9/none' });
    const joined = other.stream.join('b');
    other.stream.close();
    await expect(joined).rejects.toMatchObject({ code: 'SSE_ROOMS' });
  });
});
