import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Turn } from '../../lib/output/batch.js';
import type { CursorSource } from '../../lib/connection/client-cursor.js';
import { Stream, type StreamHost } from '../../lib/connection/stream.js';
import { drawRetry } from '../../lib/options/retry.js';
import { SSE_CHANNELS } from '../../lib/ground/channels.js';
import type { SseMessage } from '../../lib/wire/frame.js';
import { returningClientOf, type HttpRequest } from '../../lib/output/request.js';
import { SlowClients } from '../../lib/connection/slow-clients.js';
import type { SseModuleOptions } from '../../lib/nest/module.options.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { nextTurn, RecordingResponse, streamResponse } from '../support/recording-response.js';

function openConnection(
  options: SseModuleOptions = {},
  { headers = {}, cuts = 0 }: { headers?: HttpRequest['headers']; cuts?: number } = {},
): {
  connection: Stream;
  raw: RecordingResponse;
  /** The times at which it asked to be checked. */
  pulses: number[];
  /** What its host has heard of it. */
  told: string[];
} {
  const pulses: number[] = [];
  const told: string[] = [];
  const raw = new RecordingResponse();
  const host: StreamHost = {
    turn: new Turn(),
    opened: () => void told.push('opened'),
    closed: (_connection, reason) => void told.push(`closed ${reason}`),
    gone() {},
    schedulePulse: (time) => void pulses.push(time),
    slowClients: new SlowClients(),
  };
  const settings = streamSettings(options);
  // The client with the mark `aBcDeF-_` was slow before.
  for (let cut = 0; cut < cuts; cut++) host.slowClients.cut('aBcDeF-_', Date.now());
  const request = { headers };
  const returning = returningClientOf(request);
  const connection = new Stream(request, streamResponse(raw), settings, host, returning);
  return { connection, raw, pulses, told };
}

/** A stream of a hub that has handed out everything up to position 35. */
const standing: CursorSource = {
  rooms: ['a'],
  position: { epoch: 'e', position: 35, isHeld: false },
  knowsEpoch: () => false,
  holds: () => false,
  cameOut() {},
};

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the opening of a stream', () => {
  it('greets and tells the reconnection time', () => {
    const { connection, raw } = openConnection({ retry: 3417 });
    connection.open();
    expect(raw.chunks.join('')).toBe(': connected\nretry: 3417\n\n');
  });

  it('tells the cursor in a frame of its own where there is one', () => {
    const { connection, raw } = openConnection({ retry: 3417 });
    connection.cursor.track(standing);
    connection.open();
    expect(raw.chunks.join('')).toBe(': connected\nretry: 3417\n\nid: 1.e.z\n\n');
  });

  it.each<[string, SseModuleOptions['keepAlive'], string]>([
    ['other ones than the default', { intervalMs: 1_000 }, ', keep-alive 1000'],
    ['that there are none', false, ', keep-alive off'],
    ['nothing of the default', { intervalMs: 15_000 }, ''],
  ])('tells of keep-alives %s', (_what, keepAlive, told) => {
    const { connection, raw } = openConnection({ keepAlive, retry: 3417 });
    connection.open();
    expect(raw.chunks.join('')).toBe(`: connected${told}\nretry: 3417\n\n`);
  });

  it('leaves the reconnection time to the browser with `retry: false`', () => {
    const { connection, raw } = openConnection({ retry: false });
    connection.open();
    expect(raw.chunks.join('')).toBe(': connected\n\n');
  });

  it('happens once', () => {
    const { connection, raw } = openConnection({ retry: 1 });
    connection.open();
    connection.open();
    expect(raw.chunks).toHaveLength(1);
  });

  it('has a reconnection time of its own for each connection, spread over 2 to 5 seconds', () => {
    const drawn = Array.from({ length: 1_000 }, () => {
      const { connection, raw } = openConnection();
      connection.open();
      return Number(/^: connected\nretry: (\d+)\n\n$/.exec(raw.chunks.join(''))?.[1]);
    });
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(2_000);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(5_000);
    // A thousand of three thousand values: about 850 differ, and each tenth of the range is met.
    expect(new Set(drawn).size).toBeGreaterThan(700);
    expect(new Set(drawn.map((ms) => Math.floor((ms - 2_000) / 300))).size).toBeGreaterThan(9);
  });

  it.each([
    [0, 2],
    [0.5, 4],
    [0.999_999, 5],
  ])('draws the reconnection time from the range with its ends (%d)', (random, drawn) => {
    jest.spyOn(Math, 'random').mockReturnValue(random);
    expect(drawRetry({ minMs: 2, maxMs: 5 })).toBe(drawn);
  });
});

describe('the end', () => {
  it('is complete when what the app does at its end throws', () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { connection, raw } = openConnection();
    connection.open();
    connection.onEnd({
      unsubscribe() {
        throw new Error('finalize');
      },
    });
    connection.close('done');
    expect([connection.state, raw.ended]).toEqual(['closed', true]);
    expect(logged).toHaveBeenCalledTimes(1);
  });
});

describe('a connection that cannot be written to', () => {
  function fail(): never {
    throw new Error('broken');
  }

  it('ends as one that failed, at the log and on the channel too', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const told: unknown[] = [];
    const hear = (message: unknown): void => void told.push(message);
    subscribe(SSE_CHANNELS.error, hear);
    const { connection, raw } = openConnection();
    connection.open();
    jest.spyOn(raw, 'write').mockImplementation(fail);
    const sent = connection.send({ data: 1 });
    await expect(sent).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    unsubscribe(SSE_CHANNELS.error, hear);
    expect(await connection.closed).toBe('error');
    expect(raw.destroyed).toBe(true);
    expect(told).toMatchObject([{ error: { message: 'broken' }, connection }]);
    expect(logged).toHaveBeenCalledTimes(1);
  });

  it('ends the same way when that shows within a turn', () => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { connection, raw } = openConnection();
    connection.open();
    jest.spyOn(raw, 'write').mockImplementation(fail);
    const data = 'x'.repeat(5_000_000);
    void connection.send({ data });
    expect(connection.state).toBe('open');
    void connection.send({ data });
    expect([connection.state, connection.bufferedBytes]).toEqual(['closed', 0]);
  });

  it('is destroyed when its end throws, and has the reason of the end', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { connection, raw } = openConnection();
    connection.open();
    jest.spyOn(raw, 'end').mockImplementation(fail);
    connection.close('enough');
    expect(await connection.closed).toBe('enough');
    expect(raw.destroyed).toBe(true);
    expect(logged).toHaveBeenCalledTimes(1);
  });

  it('ends even where the logger throws', async () => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(fail);
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { connection, raw } = openConnection();
    connection.open();
    jest.spyOn(raw, 'write').mockImplementation(fail);
    await expect(connection.send({ data: 1 })).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    expect(await connection.closed).toBe('error');
    expect(warned).toHaveBeenCalledWith('the logger of the app threw: broken', { type: 'Sse' });
  });

  it('is not told as opened when its opening cannot be written', () => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { connection, raw, told } = openConnection();
    jest.spyOn(raw, 'write').mockImplementation(fail);
    connection.open();
    expect(connection.state).toBe('closed');
    expect(told).toEqual(['closed error']);
  });
});

describe('the end of a client whose backlog is full', () => {
  it.each<[string, (connection: Stream) => void, string]>([
    ['shutdown', (connection) => connection.closeForShutdown(), 'retry: 5\n\n'],
    ['auth', (connection) => connection.revoke(), 'event: sse-end\ndata: {"reason":"auth"}\n\n'],
  ])('has the reason %s, and all that waited is written', async (reason, end, last) => {
    const backpressure = { maxBufferedBytes: 100 };
    const { connection, raw } = openConnection({ retry: 5, backpressure });
    connection.open();
    raw.full = true;
    await Promise.race([connection.send({ data: 0 }), nextTurn()]);
    raw.chunks.length = 0;
    for (let n = 0; n < 10; n++) void connection.send({ data: n });
    expect(connection.bufferedBytes).toBe(90);
    void connection.send({ data: 10 });
    expect(connection.bufferedBytes).toBe(100);
    end(connection);
    expect(await connection.closed).toBe(reason);
    expect(raw.chunks.join('').endsWith(`data: 10\n\n${last}`)).toBe(true);
    expect(connection.sentEvents).toBe(12);
  });
});

describe('the streams of one connection', () => {
  it('are five at most, which its error tells as other limits', () => {
    const { connection } = openConnection();
    for (let n = 0; n < 5; n++) connection.cursor.track({ ...standing });
    expect(() => connection.cursor.track({ ...standing })).toThrow(
      expect.objectContaining({
        code: 'SSE_LIMIT',
        limit: 'maxHubStreams',
        max: 5,
        message:
          'maxHubStreams is 5: a connection cannot read more hub streams; open one stream with several rooms instead',
      }),
    );
  });
});

describe('the mark of a slow client', () => {
  const MARK = /^1\.e\.z~s\.[A-Za-z0-9_-]{8}$/;
  const ids = (raw: RecordingResponse): string[] =>
    [...raw.chunks.join('').matchAll(/^id: (.*)$/gm)].map(([, id = '']) => id);
  const ours: CursorSource = { ...standing, knowsEpoch: (epoch) => epoch === 'e' };

  /** Its client has taken nothing for a while. */
  async function slowConnection(source: CursorSource, id: string) {
    const opened = openConnection();
    opened.connection.open();
    opened.connection.cursor.track(source);
    const { connection, raw } = opened;
    raw.full = true;
    void connection.send({ data: 'fills it' });
    await nextTurn();
    void connection.send({ id, data: 1 });
    raw.drain();
    await nextTurn();
    return opened;
  }

  it('is in what has waited, and from then on in cursors between events, but not in events', async () => {
    const { connection, raw } = await slowConnection(ours, '1.e.z');
    connection.sendCursor();
    void connection.send({ id: '1.e.z', data: 2 });
    await nextTurn();
    const [waited, between, event] = ids(raw);
    expect(waited).toMatch(MARK);
    expect(between).toBe(waited);
    expect(event).toBe('1.e.z');
  });

  it('is of this connection alone', async () => {
    const [one, other] = await Promise.all([
      slowConnection(ours, '1.e.z'),
      slowConnection(ours, '1.e.z'),
    ]);
    expect(ids(one.raw)).not.toEqual(ids(other.raw));
  });

  it.each(['1.2.3', 'order 7', 'end'])("is not in the app's own id %s", async (own) => {
    const { connection, raw } = await slowConnection(ours, own);
    connection.sendCursor();
    void connection.send({ id: '1.e.z', data: 2 });
    await nextTurn();
    expect(ids(raw)).toEqual([own, '1.e.z']);
  });

  it.each([
    ['was cut lately: in all ids', true, '1.e.z~s.aBcDeF-_'],
    ['is not known here: only between events', false, '1.e.z'],
  ])('is kept when its client comes back and %s', async (_title, isKnown, id) => {
    const headers = { 'last-event-id': '1.e.5~s.aBcDeF-_' };
    const { connection, raw } = openConnection({}, { headers, cuts: isKnown ? 1 : 0 });
    connection.cursor.track({ ...ours, holds: (held) => held === '1.e.z' });
    connection.open();
    void connection.send({ id: '1.e.z', data: 2 });
    await nextTurn();
    expect(ids(raw)).toEqual(['1.e.z~s.aBcDeF-_', id]);
    expect(connection.isOftenCut).toBe(false);
  });

  it('tells a client that was cut three times, and no other', () => {
    const of = (lastEventId: string, cuts: number): boolean => {
      const headers = { 'last-event-id': lastEventId };
      return openConnection({}, { headers, cuts }).connection.isOftenCut;
    };
    expect(of('1.e.5~s.aBcDeF-_', 3)).toBe(true);
    expect(of('1.e.5~s.aBcDeF-_', 2)).toBe(false);
    expect(of('1.e.5~s.00000000', 3)).toBe(false);
    expect(of('1.e.5', 3)).toBe(false);
  });
});

describe('the keep-alive', () => {
  // feature: 41
  it.each([
    ['is a comment', false, ': keep-alive\n\n'],
    ['carries the cursor where there is one', true, ': keep-alive\nid: 1.e.z\n\n'],
  ])('%s', async (_title, hasCursor, bytes) => {
    const { connection, raw } = openConnection({ keepAlive: { intervalMs: 1_000 } });
    connection.open();
    raw.chunks.length = 0;
    if (hasCursor) connection.cursor.track(standing);
    connection.check(performance.now() + 1_000);
    await nextTurn();
    expect(raw.chunks).toEqual([bytes]);
  });

  it('comes only when nothing was written for that long', async () => {
    let clock = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => clock);
    const { connection, raw } = openConnection({ keepAlive: { intervalMs: 1_000 } });
    connection.open();
    clock = 600;
    void connection.send({ data: 'x' });
    await nextTurn();
    raw.chunks.length = 0;
    expect(connection.check(1_000)).toBe(1_600);
    await nextTurn();
    expect(raw.chunks).toEqual([]);
    expect(connection.check(1_600)).toBe(2_600);
    await nextTurn();
    expect(raw.chunks).toEqual([': keep-alive\n\n']);
  });

  it('never comes with `keepAlive: false`', async () => {
    const { connection, raw } = openConnection({ keepAlive: false });
    connection.open();
    raw.chunks.length = 0;
    expect(connection.check(performance.now() + 1e9)).toBe(Infinity);
    await nextTurn();
    expect(raw.chunks).toEqual([]);
  });
});

describe('a stream that has to be allowed after it has begun', () => {
  it('is looked at though there are no keep-alives', () => {
    const { connection, pulses } = openConnection({ keepAlive: false });
    connection.open();
    connection.authorization.ask(
      () => true,
      ['a'],
      () => {},
      () => {},
    );
    const [at = 0] = pulses;
    expect(at).toBeGreaterThan(performance.now() + 14_000);
    expect(connection.check(at)).toBeLessThan(Infinity);
  });
});

describe('send()', () => {
  // feature: 7
  it('writes a message with all its fields in one write', async () => {
    const { connection, raw } = openConnection();
    connection.open();
    raw.chunks.length = 0;
    await connection.send({ comment: 'n', type: 'T', id: '7', retry: 5000, data: { n: 1 } });
    expect(raw.chunks).toEqual([': n\nevent: T\nretry: 5000\ndata: {"n":1}\nid: 7\n\n']);
  });

  it('begins the stream if nothing has yet', async () => {
    const { connection, raw } = openConnection({ retry: false });
    expect(connection.state).toBe('opening');
    await connection.send({ data: 'x' });
    expect(connection.state).toBe('open');
    expect(raw.chunks.join('')).toBe(': connected\n\ndata: x\n\n');
  });

  // feature: 5
  it.each<[string, SseMessage, string]>([
    ['a negative retry', { retry: -1 }, 'SSE_INVALID_FIELD'],
    ['a fraction as retry', { retry: 1.5 }, 'SSE_INVALID_FIELD'],
    ['a line break in the id', { id: 'a\nb' }, 'SSE_INVALID_FIELD'],
    ['a BigInt', { data: 1n }, 'SSE_SERIALIZE'],
  ])('writes not a byte for %s', async (_title, message, code) => {
    const { connection, raw } = openConnection();
    await expect(connection.send(message)).rejects.toMatchObject({ code });
    await nextTurn();
    expect(raw.chunks).toEqual([]);
    expect(raw.head).toBeUndefined();
  });

  // fault: 4
  it('goes on with the next message after one that was refused', async () => {
    const { connection, raw } = openConnection({ retry: false });
    await connection.send({ data: 1 });
    await expect(connection.send({ type: 'T', data: 1n })).rejects.toMatchObject({
      code: 'SSE_SERIALIZE',
    });
    await connection.send({ data: 2 });
    expect(raw.chunks.join('')).toBe(': connected\n\ndata: 1\n\ndata: 2\n\n');
  });

  // feature: 6
  it('is how a comment is sent', async () => {
    const { connection, raw } = openConnection({ retry: false });
    await connection.comment('a\nb');
    expect(raw.chunks.join('')).toBe(': connected\n\n: a\n: b\n\n');
  });

  // feature: 27
  it('rejects with SSE_CLOSED after the end', async () => {
    const { connection } = openConnection();
    connection.close();
    await expect(connection.send({ data: 'x' })).rejects.toMatchObject({ code: 'SSE_CLOSED' });
  });
});

describe('the head of a stream', () => {
  // feature: 10
  it('has the status and the four headers', () => {
    const { connection, raw } = openConnection();
    connection.open();
    expect(raw.head).toEqual({
      status: 200,
      headers: {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache, no-transform',
        'X-Accel-Buffering': 'no',
        Connection: 'keep-alive',
      },
    });
  });

  it('takes further headers in any case, but no other Content-Type', () => {
    const { connection, raw } = openConnection({
      headers: { 'cache-control': 'no-store', 'X-A': 'b', 'content-type': 'text/plain' },
    });
    connection.open();
    expect(raw.head?.headers).toEqual({
      'cache-control': 'no-store',
      'X-A': 'b',
      'Content-Type': 'text/event-stream',
      'X-Accel-Buffering': 'no',
      Connection: 'keep-alive',
    });
  });

  // feature: 10
  // fault: 30
  it.each(['1.0', '2.0'])('has no Connection header on HTTP/%s', (httpVersion) => {
    const raw = new RecordingResponse();
    streamResponse(raw, { httpVersion }).begin(
      { headers: {} },
      () => {},
      () => {},
    );
    expect(raw.head?.headers).not.toHaveProperty('Connection');
    expect(raw.head?.headers).toHaveProperty('Content-Type', 'text/event-stream');
  });
});
