import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SseError, type EventLog } from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { hasCursor, numbers, range, start } from '../support/resuming.js';
import { ADAPTERS } from '../support/serve.js';
import { watchWrites } from '../support/socket-writes.js';
import { responded } from '../support/stream-client.js';

describe.each(ADAPTERS)('a client that returns with its cursor (%s)', (adapter) => {
  // feature: 46
  it('gets exactly what it missed and then what comes, in order, while events are published', async () => {
    const { open, emit, emitAll } = await start(adapter);
    const ids = await emitAll('main', 1, 10);
    const stream = open('/stream', ids[3]);
    for (const n of range(11, 20)) await emit('main', n);
    expect(await numbers(stream, 16)).toEqual(range(5, 20));
    expect(stream.text).not.toContain('sse-gap');
  });

  // feature: 93
  it('by the query goes on as by the header, as a page does that was rendered before it connected', async () => {
    const { app, emit, emitAll } = await start(adapter);
    await emit('main', 1);
    const position = await app.open('/position').ended;
    await emitAll('main', 2, 3);
    expect(await numbers(app.open(`/stream?lastEventId=${position}`), 2)).toEqual([2, 3]);
  });

  // feature: 9
  it('without having got an event goes on after the id of the opening', async () => {
    const { open, emit, emitAll } = await start(adapter);
    await emit('main', 1);
    const stream = open('/stream');
    await stream.until(hasCursor);
    expect(stream.text).toMatch(/^: connected\nretry: \d+\n\nid: 1\.[\w-]{8}\.\w+\n\n$/);
    stream.close();
    await emitAll('main', 2, 3);
    expect(await numbers(open('/stream', stream.cursor), 2)).toEqual([2, 3]);
  });

  it('gets nothing of other rooms, whatever it brings, and no gap for a busy neighbour', async () => {
    const { open, emit, emitAll } = await start(adapter, { history: { maxEvents: 5 } });
    const first = await emit('quiet', 1);
    await emitAll('busy', 100, 200);
    await emit('quiet', 2);
    const stream = open('/rooms?rooms=quiet', first);
    expect(await numbers(stream, 1)).toEqual([2]);
    await emit('quiet', 3);
    expect(await numbers(stream, 1)).toEqual([3]);
    expect(stream.events).toHaveLength(2);
  });

  // feature: 52
  it('gets a long replay in slices: not all of it is handed to the socket at once', async () => {
    const { app, open, emitAll } = await start(adapter);
    const ids = await emitAll('main', 0, 300);
    const writes = watchWrites(app.port);
    const stream = open('/stream', ids[0]);
    expect(await numbers(stream, 300)).toEqual(range(1, 300));
    jest.restoreAllMocks();
    expect(writes).not.toEqual([]);
    expect(Math.max(...writes.map(({ length }) => length))).toBeLessThan(stream.text.length / 2);
  });

  // feature: 52
  it('and reads its replay slowly does not hold up who publishes', async () => {
    const { hub, open, emitAll } = await start(adapter);
    const ids: string[] = [];
    for (let n = 0; n < 900; n++) {
      ids.push(await hub.publish('main', { data: `${n} ${'x'.repeat(1_000)}` }));
    }
    const slow = open('/stream', ids[0]);
    await slow.until(({ text }) => text.includes('data: 1 '));
    slow.pause();
    // It stands still all the while. What a call takes of the thread, `npm run bench --
    // slow-reader` measures.
    for (let n = 0; n < 1_000; n++) await hub.to('main').emit('n', n);
    expect(slow.events.length).toBeLessThan(899);
    slow.resume();
    await slow.until(() => slow.events.length === 899 + 1_000);
    const seen = slow.events.map(({ data }) => Number.parseInt(String(data)));
    expect(seen).toEqual([...range(1, 899), ...range(0, 999)]);
    await emitAll('main', 1, 1);
    expect(slow.text).not.toContain('sse-gap');
  });

  // feature: 61
  it('to several rooms gets an event of two of them once, in the order of the hub', async () => {
    const { hub, open, emit } = await start(adapter);
    const first = await emit('a', 0);
    await emit('b', 1);
    await hub.to('a', 'b').emit('n', 2);
    await emit('a', 3);
    const stream = open('/rooms?rooms=b,a', first);
    expect(await numbers(stream, 3)).toEqual([1, 2, 3]);
    await hub.to('b', 'a').emit('n', 4);
    await emit('a', 5);
    expect(await numbers(stream, 2)).toEqual([4, 5]);
  });

  // feature: 71
  it('whose log is away is told to come back later, in the one way that a browser does', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    class AwayLog extends MemoryEventLog {
      override async head(): Promise<never> {
        throw new SseError('SSE_LOG_UNAVAILABLE', 'the log is away');
      }
    }
    const { open } = await start(adapter, { log: ({ history }): EventLog => new AwayLog(history) });
    const stream = open('/stream', '1.abcdefgh.hocqx6mqcw');
    expect((await responded(stream)).status).toBe(200);
    expect(await stream.ended).toMatch(/^retry: \d+\n\n$/);
    expect(warn).toHaveBeenCalledWith(
      expect.objectContaining({ event: 'refuse', reason: 'log', trouble: 'the log is away' }),
    );
    warn.mockRestore();
  });
});
