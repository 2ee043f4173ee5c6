// Streams of a limited duration, and ends that the app chooses, beside those that the client does.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Logger, Param } from '@nestjs/common';
import { Broadcaster, Connection, SseConnection, SseStream } from 'nestjs-eventstream';
import { NEVER, takeUntil, timer } from 'rxjs';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { recordedStream } from '../support/recording-response.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { Registry } from '../../lib/connection/registry.js';
import { openRegistry } from '../support/registry.js';

describe('maxDurationMs', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  // feature: 69, 74
  it.each([
    [60_000, 7],
    [1_000, 4],
  ])('ends each stream at a time of its own, from 80 to 100 % of %p ms', async (ms, parts) => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    Logger.overrideLogger(['warn', 'error']);
    const connections = openRegistry();
    const settings = streamSettings({ maxDurationMs: ms, keepAlive: false });
    const begun = performance.now();
    const ends: number[] = [];
    connections.closed$.subscribe(({ reason }) => {
      expect(reason).toBe('duration');
      ends.push(performance.now() - begun);
    });
    for (let n = 0; n < 500; n++) {
      const connection = recordedStream(connections, settings);
      connections.add(connection);
      connection.open();
    }
    await jest.advanceTimersByTimeAsync(0.8 * ms - 1);
    expect(ends).toHaveLength(0);
    await jest.advanceTimersByTimeAsync(0.2 * ms + 1);
    expect(ends).toHaveLength(500);
    // They are not all at once: some in each tenth of the time but the last, which is for those who
    // come late; in a second, in four.
    const tenths = new Set(ends.map((at) => Math.floor((at / ms - 0.8) / 0.02)));
    expect(tenths.size).toBeGreaterThanOrEqual(parts);
  });

  // feature: 69
  it.each(ADAPTERS)('loses nothing of what the client resumes (%s)', async (adapter) => {
    @Controller()
    class Streams {
      constructor(private readonly hub: Broadcaster) {}
      @SseStream('room', { maxDurationMs: 60 }) room() {
        return this.hub.stream('room');
      }
    }
    const app = await serve(Streams, { adapter });
    const room = app.nest.get(Broadcaster).to('room');
    const got: unknown[] = [];
    let lastEventId = '';
    let n = 0;
    // On a busy machine a stream may end before its event: then the next visit has it.
    while (n < 8 || got.length < n) {
      const headers: Record<string, string> =
        lastEventId === '' ? {} : { 'last-event-id': lastEventId };
      const stream = app.open('/room', { headers });
      await stream.until(({ text }) => /^id: /m.test(text));
      if (n < 9) await room.emit('x', n++);
      const text = await stream.ended;
      if (n < 8) await room.emit('x', n++);
      got.push(...stream.events.map(({ data }) => data));
      lastEventId = [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
    }
    expect(got).toEqual(Array.from({ length: n }, (_none, each) => each));
  });
});

describe.each(ADAPTERS)('an end that the app chooses (%s)', (adapter) => {
  @Controller()
  class Streams {
    @SseStream('own/:how') own(@Param('how') how: string, @Connection() connection: SseConnection) {
      if (how === 'signal') return NEVER.pipe(takeUntil(timer(60_000)));
      setTimeout(() => connection.close('enough'), 20);
      return NEVER;
    }
  }

  // feature: 69
  it('does not hide that the client leaves before', async () => {
    const app = await serve(Streams, { adapter });
    const stream = app.open('/own/signal');
    await stream.until(({ text }) => text !== '');
    const [connection] = app.nest.get(Registry).list();
    stream.close();
    expect(await connection?.closed).toBe('client');
  });

  it('has its own reason', async () => {
    const app = await serve(Streams, { adapter });
    const stream = app.open('/own/close');
    await stream.until(({ text }) => text !== '');
    const [connection] = app.nest.get(Registry).list();
    await stream.ended;
    expect(await connection?.closed).toBe('enough');
  });
});
