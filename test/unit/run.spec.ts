import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { currentStream } from '../../lib/connection/current-stream.js';
import { Stream } from '../../lib/connection/stream.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import type { StreamOptions } from '../../lib/connection/stream.options.js';
import { Hub } from '../../lib/hub/hub.js';
import { Outlet } from '../../lib/hub/outlet.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { writeStream } from '../../lib/nest/stream-writer.js';
import { HISTORY_DEFAULTS } from '../../lib/log/history.options.js';
import { nextTurn, recordedStream, RecordingResponse } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

Logger.overrideLogger(false);

const quiet = { retry: false, keepAlive: false } as const;

async function openHub() {
  const hub = new Hub(new MemoryEventLog(HISTORY_DEFAULTS, { epoch: 'e' }));
  await hub.start();
  const registry = openRegistry();
  /** A client whose handler returns this. Its opening is written and forgotten. */
  const read = async (open: () => Observable<unknown>, options: StreamOptions = {}) => {
    const raw = new RecordingResponse();
    const stream = recordedStream(registry, streamSettings({ ...quiet, ...options }), raw);
    registry.add(stream);
    currentStream.run(stream, () => void writeStream(open(), stream));
    while (raw.chunks.length === 0) await nextTurn();
    raw.chunks.length = 0;
    return { stream, raw, data: () => dataOf(raw) };
  };
  return { hub, read };
}

/** What was written: the data of each event, or the name of one of ours. */
function dataOf({ chunks }: RecordingResponse): string[] {
  const blocks = chunks.join('').split('\n\n');
  return blocks.flatMap((block) => {
    const [, name] = /^event: (sse-\w+)$/m.exec(block) ?? [];
    const [, said] = /^: (.+)$/m.exec(block) ?? [];
    return name ?? said ?? /^data: (.*)$/m.exec(block)?.[1] ?? [];
  });
}

const cursorOf = ({ cursor }: Stream): string | undefined => cursor.text;

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the events of a turn', () => {
  it('reach a direct reader as one, and a reader with operators one by one', async () => {
    const { hub, read } = await openHub();
    const passed = jest.spyOn(Outlet.prototype, 'pass');
    const seen = new Subject<unknown>();
    const one = await read(() => hub.stream('a'));
    const other = await read(() => hub.stream('a', { types: ['n'] }));
    hub.stream('a').subscribe(seen);
    const came: unknown[] = [];
    seen.subscribe((event) => came.push(event));
    for (let n = 1; n <= 3; n++) void hub.to('a').emit('n', n);
    void hub.to('a').emit('other', 4);
    expect(came).toHaveLength(4);
    await nextTurn();
    expect(passed).toHaveBeenCalledTimes(4);
    expect(one.data()).toEqual(['1', '2', '3', '4']);
    expect(other.data()).toEqual(['1', '2', '3']);
    expect([one.raw.chunks.length, other.raw.chunks.length]).toEqual([1, 1]);
    expect([one.stream.sentEvents, other.stream.sentEvents]).toEqual([4, 3]);
  });

  it('reach a direct reader with a filter as one, and the filter sees each at its time', async () => {
    const { hub, read } = await openHub();
    let limit = 2;
    const filter = ({ data }: { data: unknown }) => Number(data) <= limit;
    const nexts = jest.spyOn(Stream.prototype, 'write');
    const one = await read(() => hub.stream('a', { filter }));
    const other = await read(() => hub.stream('a', { filter, lastEventId: false }));
    nexts.mockClear();
    for (let n = 1; n <= 3; n++) void hub.to('a').emit('n', n);
    limit = 4;
    void hub.to('a').emit('n', 4);
    void one.stream.comment('hello');
    const id = await hub.to('a').emit('n', 0);
    expect(cursorOf(one.stream)).toBe(id);
    await nextTurn();
    expect(one.data()).toEqual(['1', '2', '4', 'hello', '0']);
    expect(other.data()).toEqual(['1', '2', '4', '0']);
    expect(other.raw.chunks.join('')).not.toContain('id:');
    // The comment alone went by itself.
    expect(nexts).toHaveBeenCalledTimes(1);
    expect(one.stream.sentEvents).toBe(5);
  });

  it('come before the error of a filter', async () => {
    const { hub, read } = await openHub();
    const filter = ({ data }: { data: unknown }) => {
      if (data === 2) throw new Error('a filter that fails');
      return true;
    };
    const { stream, data } = await read(() => hub.stream('a', { filter }));
    void hub.to('a').emit('n', 1);
    void hub.to('a').emit('n', 2);
    await nextTurn();
    expect(data()[0]).toBe('1');
    expect(stream.state).toBe('closed');
  });

  it('count as buffered, and as read by the cursor, before they are written', async () => {
    const { hub, read } = await openHub();
    const { stream, data } = await read(() => hub.stream('a'));
    const id = await hub.to('a').emit('n', 'x'.repeat(1_000));
    // The event came in this turn, but the promise may have taken it into the next.
    const another = hub.to('a').emit('n', 'x'.repeat(1_000));
    expect(stream.bufferedBytes).toBeGreaterThan(1_000);
    expect(cursorOf(stream)).not.toBe(id);
    expect(cursorOf(stream)).toBe(await another);
    await nextTurn();
    expect(data()).toHaveLength(2);
    expect(stream.bufferedBytes).toBe(0);
  });

  it('keep their order beside what the app sends to the client, and events of several rooms', async () => {
    const { hub, read } = await openHub();
    const { stream, data } = await read(() => hub.stream(['a', 'b']));
    void hub.to('a').emit('n', 1);
    void stream.comment('hello');
    void hub.to('a').emit('n', 2);
    void hub.to('b').emit('n', 3);
    void hub.to('a').emit('n', 4);
    void hub.to('a', 'b').emit('n', 5);
    void hub.to('a').emit('n', 6);
    await nextTurn();
    expect(data()).toEqual(['1', 'hello', '2', '3', '4', '5', '6']);
  });

  it('go to a reader that joins or leaves among them from there on, or up to there', async () => {
    const { hub, read } = await openHub();
    const { stream: left, data: ofLeft } = await read(() => hub.stream('a'));
    const { data: ofStaying } = await read(() => hub.stream('a'));
    void hub.to('a').emit('n', 1);
    const joined: unknown[] = [];
    hub.stream('a').subscribe(({ data }) => joined.push(data));
    left.close();
    void hub.to('a').emit('n', 2);
    await nextTurn();
    expect([ofLeft(), ofStaying(), joined]).toEqual([['1'], ['1', '2'], [2]]);
  });

  it.each<[string, (hub: Hub, stream: Stream) => void, string[]]>([
    ['the room is closed', (hub) => hub.closeRoom('a'), ['1']],
    ['it is revoked', (_hub, stream) => stream.revoke(), ['1', 'sse-end']],
    ['the app shuts down', (_hub, stream) => stream.closeForShutdown(), ['1']],
    ['the hub closes', (hub) => void hub.close(), ['1']],
    ['it is destroyed', (_hub, stream) => stream.destroy('overflow'), []],
  ])('before the end of a stream are written: %s', async (_name, end, expected) => {
    const { hub, read } = await openHub();
    const { stream, data } = await read(() => hub.stream('a'));
    void hub.to('a').emit('n', 1);
    end(hub, stream);
    void hub
      .to('a')
      .emit('n', 2)
      .catch(() => {});
    await nextTurn();
    expect(data()).toEqual(expected);
    expect(stream.state).toBe('closed');
  });

  it('come before the gap of a loss, and those after it wait', async () => {
    const { hub, read } = await openHub();
    const { data } = await read(() => hub.stream('a'));
    void hub.to('a').emit('n', 1);
    hub.delivery.lost({ rooms: ['a'], reason: 'unknown' });
    void hub.to('a').emit('n', 2);
    await nextTurn();
    await nextTurn();
    expect(data()).toEqual(['1', 'sse-gap', '2']);
  });

  it('are bounded: a full batch is written, and the rest waits for a client that does not read', async () => {
    const { hub, read } = await openHub();
    const backpressure = { maxBufferedBytes: 1_000, overflow: 'drop-oldest' } as const;
    const slow = await read(() => hub.stream('a'), { backpressure });
    const fast = await read(() => hub.stream('a'));
    slow.raw.full = true;
    for (let n = 10; n < 40; n++) void hub.to('a').emit('n', `${n}${'x'.repeat(98)}`);
    expect(slow.stream.isBlocked).toBe(true);
    expect(slow.stream.droppedEvents).toBeGreaterThan(5);
    expect(slow.stream.bufferedBytes).toBeLessThan(1_200);
    await nextTurn();
    expect(fast.data()).toHaveLength(30);
    expect(fast.raw.chunks).toHaveLength(1);
    slow.raw.drain();
    await nextTurn();
    const read30 = slow.data().filter((text) => text !== 'sse-gap');
    expect(read30.length + slow.stream.droppedEvents).toBe(30);
    expect(read30.at(-1)).toContain('39');
  });

  it('are held by nobody afterwards', async () => {
    const { hub, read } = await openHub();
    await read(() => hub.stream('a'));
    const { stream } = await read(() => hub.stream('a'));
    void hub.to('a').emit('n', 1);
    stream.destroy('server');
    const { runs } = hub.delivery as unknown as { runs: Map<string, unknown> };
    expect(runs.size).toBe(1);
    await nextTurn();
    expect(runs.size).toBe(0);
  });
});
