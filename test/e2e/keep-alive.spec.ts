import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { NEVER, Subject } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { nextTurn, recordedStream } from '../support/recording-response.js';
import { ADAPTERS, serve } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';
import { Registry } from '../../lib/connection/registry.js';
import { openRegistry } from '../support/registry.js';

@Controller()
class Streams {
  readonly source = new Subject<string>();
  constructor(readonly hub: Broadcaster) {}
  @SseStream('quiet') quiet() {
    return NEVER;
  }
  @SseStream('events') events() {
    return this.source;
  }
  @SseStream('often', { keepAlive: { intervalMs: 1_000 } }) often() {
    return NEVER;
  }
  @SseStream('pings', { keepAlive: { event: { type: 'ping' } } }) pings() {
    return NEVER;
  }
  @SseStream('room', { keepAlive: { event: { data: { type: 'heartbeat' } } } }) room() {
    return this.hub.stream('main');
  }
  @SseStream('comments', { keepAlive: { event: false } }) comments() {
    return NEVER;
  }
  @SseStream('off', { keepAlive: false }) off() {
    return NEVER;
  }
}

const begun = (stream: TestStream) => stream.until(({ text }) => text.endsWith('\n\n'));
const keepAlives = (stream: TestStream): number => stream.text.split(': keep-alive\n\n').length - 1;

describe.each(ADAPTERS)('keep-alives on %s', (adapter) => {
  // The sockets are real; only the clocks of this process stand still until they are moved.
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  // feature: 41
  it('come after 15 s without a write, and again after each further 15 s', async () => {
    const app = await serve(Streams, { adapter });
    const stream = app.open('/quiet');
    await begun(stream);
    const opening = stream.text;
    jest.advanceTimersByTime(14_999);
    await settled(app.open('/events'));
    expect(stream.text).toBe(opening);
    jest.advanceTimersByTime(1);
    await stream.until(({ text }) => text === `${opening}: keep-alive\n\n`);
    // Connections that are due within half a second are served together.
    jest.advanceTimersByTime(15_500);
    await stream.until(({ text }) => text === `${opening}: keep-alive\n\n: keep-alive\n\n`);
  });

  // feature: 41
  it('do not come while events flow', async () => {
    const app = await serve(Streams, { adapter });
    const stream = app.open('/events');
    await begun(stream);
    for (let n = 0; n < 8; n++) {
      jest.advanceTimersByTime(10_000);
      app.nest.get(Streams).source.next('x');
      await stream.next();
    }
    expect(keepAlives(stream)).toBe(0);
    jest.advanceTimersByTime(15_000);
    await stream.until(() => keepAlives(stream) === 1);
  });

  // feature: 28
  it('have an interval per stream, and can be switched off', async () => {
    const app = await serve(Streams, { adapter, sse: { keepAlive: { intervalMs: 5_000 } } });
    const [quiet, often, off] = [app.open('/quiet'), app.open('/often'), app.open('/off')];
    await Promise.all([quiet, often, off].map(begun));
    for (let second = 1; second <= 10; second++) {
      jest.advanceTimersByTime(1_000);
      await often.until(() => keepAlives(often) === second);
    }
    await quiet.until(() => keepAlives(quiet) === 2);
    expect(keepAlives(off)).toBe(0);
  });

  it('are events without an id where a stream says so, and the cursor follows them', async () => {
    const app = await serve(Streams, { adapter });
    const [pings, room] = [app.open('/pings'), app.open('/room')];
    await Promise.all([pings, room].map(begun));
    await room.until(({ cursor }) => cursor !== undefined);
    const [{ text: before }, opened] = [pings, room.text.length];
    // Others move the cursor of a quiet client.
    const cursor = await app.nest.get(Streams).hub.to('other').emit('n', 1);
    jest.advanceTimersByTime(15_000);
    await Promise.all(
      [pings, room].map((stream) => stream.until(({ events }) => events[0] !== undefined)),
    );
    await room.until((stream) => stream.cursor === cursor);
    expect(pings.text).toBe(`${before}event: ping\ndata: \n\n`);
    expect(room.text.slice(opened)).toBe(`data: {"type":"heartbeat"}\n\nid: ${cursor}\n\n`);
    expect(room.events).toEqual([{ type: 'message', data: { type: 'heartbeat' }, id: undefined }]);
  });

  it('are events for all streams by the module, and comments again where a stream says so', async () => {
    const event = { type: 'ping', data: 'now' };
    const app = await serve(Streams, { adapter, sse: { keepAlive: { intervalMs: 2_000, event } } });
    const streams = ['/quiet', '/often', '/comments', '/off'].map((path) => app.open(path));
    const [quiet, often, comments, off] = streams as [
      TestStream,
      TestStream,
      TestStream,
      TestStream,
    ];
    await Promise.all(streams.map(begun));
    jest.advanceTimersByTime(2_600);
    await Promise.all([quiet, often].map((stream) => stream.next()));
    await comments.until((stream) => keepAlives(stream) === 1);
    expect([quiet, often].map(keepAlives)).toEqual([0, 0]);
    expect(quiet.events[0]).toMatchObject({ type: 'ping', data: 'now' });
    expect([off, comments].map(({ events }) => events)).toEqual([[], []]);
  });

  // feature: 42
  // fault: 10
  it('need one timer for all connections, and none when there are none', async () => {
    const app = await serve(Streams, { adapter });
    const streams = Array.from({ length: 100 }, () => app.open('/quiet'));
    await Promise.all(streams.map(begun));
    const connections = app.nest.get(Registry);
    expect(connections.count).toBe(100);
    const setTimeouts = jest.spyOn(globalThis, 'setTimeout');
    jest.advanceTimersByTime(15_000);
    await Promise.all(streams.map((stream) => stream.until(() => keepAlives(stream) === 1)));
    expect(setTimeouts.mock.calls.length).toBeLessThanOrEqual(2);
    setTimeouts.mockRestore();
  });

  // feature: 63
  it('destroys the socket of a client that takes nothing for 15 s, with the reason stall', async () => {
    let made = 0;
    @Controller()
    class Large {
      @SseStream('large') async *large() {
        for (; ; made++) yield 'x'.repeat(100_000);
      }
    }
    const app = await serve(Large, { adapter });
    const reasons: string[] = [];
    const connections = app.nest.get(Registry);
    connections.closed$.subscribe(({ reason }) => reasons.push(reason));
    const stream = app.open('/large');
    await begun(stream);
    stream.pause();
    // It is full when the source is not asked any more.
    for (let before = -1; before !== made;) {
      before = made;
      for (let n = 0; n < 10; n++) await app.open('/none').ended;
    }
    jest.advanceTimersByTime(14_000);
    expect(reasons).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(reasons).toEqual(['stall']);
    stream.resume();
    await expect(stream.ended).rejects.toThrow('cut');
  });
});

describe('ten thousand connections', () => {
  // feature: 42
  it('have one timer', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const connections = openRegistry();
      const settings = streamSettings({});
      for (let n = 0; n < 10_000; n++) {
        const connection = recordedStream(connections, settings);
        connections.add(connection);
        connection.open();
      }
      expect([connections.count, jest.getTimerCount()]).toEqual([10_000, 1]);
      jest.advanceTimersByTime(60_000);
      expect(jest.getTimerCount()).toBe(1);
      connections.closeAll();
      await nextTurn();
      jest.runOnlyPendingTimers();
      expect([connections.count, jest.getTimerCount()]).toEqual([0, 0]);
    } finally {
      jest.useRealTimers();
    }
  });
});

/** A round trip later, whatever was written before has arrived. */
async function settled(stream: TestStream): Promise<void> {
  await begun(stream);
  stream.close();
}
