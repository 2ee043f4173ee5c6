import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { watchWrites } from '../support/socket-writes.js';

/** So long that no test could wait for its end. */
const LONG = 3_600_000;

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('slow') slow() {
    return this.hub.stream('room');
  }
  @SseStream('short', { flushMs: 30 }) short() {
    return this.hub.stream('room');
  }
  @SseStream('tokens') async *tokens() {
    for (let n = 0; n < 200; n++) {
      yield { data: n };
      // As a model does, it takes its time for each.
      await new Promise(setImmediate);
    }
  }
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(ADAPTERS)('flushMs (%s)', (adapter) => {
  const start = async () => {
    const app = await serve(Streams, { adapter, sse: { flushMs: LONG, onComplete: 'close' } });
    const { hub } = app.nest.get(Streams);
    const open = async (path: string, lastEventId?: string) => {
      const headers: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
      const stream = app.open(path, { headers });
      await stream.until(({ text }) => text.includes('\n\n'));
      return stream;
    };
    return { app, hub, open, connections: app.nest.get(SseConnections) };
  };

  it('writes the first event at once, and the next ones together when the window ends', async () => {
    const { app, hub, open } = await start();
    const stream = await open('/short');
    const written = watchWrites(app.port);
    await hub.to('room').emit('n', 'first');
    await stream.until(({ text }) => text.includes('first'));
    for (let n = 0; n < 5; n++) {
      await hub.to('room').emit('n', `more ${n}`);
      await new Promise(setImmediate);
    }
    await stream.until(({ text }) => text.includes('more 4'));
    // The window may end between two of them, but not for each.
    expect(written.length).toBeLessThan(6);
  });

  it('delays neither a replay nor the end', async () => {
    const { hub, open, connections } = await start();
    const stream = await open('/slow');
    const id = await hub.to('room').emit('n', 'first');
    await stream.until(({ text }) => text.includes('first'));
    await hub.to('room').emit('n', 'waits');
    expect(connections.list()[0]?.bufferedBytes).toBeGreaterThan(0);
    const returned = await open('/slow', id);
    await returned.until(({ text }) => text.includes('waits'));
    expect(stream.text).not.toContain('waits');
    hub.closeRoom('room');
    expect(await stream.ended).toContain('waits');
  });

  it('writes collected events before the sse-end of a revocation', async () => {
    const { hub, open, connections } = await start();
    const stream = await open('/slow');
    for (const data of ['first', 'second', 'third']) {
      await hub.to('room').emit('n', data);
      if (data === 'first') await stream.until(({ text }) => text.includes('first'));
    }
    expect(stream.text).not.toContain('second');
    connections.revoke(() => true);
    const text = await stream.ended;
    expect(text.indexOf('second')).toBeGreaterThan(0);
    expect(text.indexOf('sse-end')).toBeGreaterThan(text.indexOf('third'));
  });

  it('does not hold up a generator', async () => {
    const { app, open } = await start();
    const written = watchWrites(app.port);
    const stream = await open('/tokens');
    const text = await stream.ended;
    expect(text.match(/^data: \d+$/gm)).toHaveLength(200);
    expect(written.length).toBeLessThan(20);
  });
});
