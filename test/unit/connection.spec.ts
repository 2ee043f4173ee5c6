import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Turn } from '../../lib/batch.js';
import type { CursorSource } from '../../lib/client-cursor.js';
import { SseConnection, type ConnectionHost } from '../../lib/connection.js';
import { drawRetry } from '../../lib/control-frames.js';
import type { SseMessage } from '../../lib/frame.js';
import type { SseModuleOptions } from '../../lib/sse.options.js';
import { streamSettings } from '../../lib/stream-settings.js';
import { nextTurn, RecordingResponse, streamResponse } from '../support/recording-response.js';

function openConnection(options: SseModuleOptions = {}): {
  connection: SseConnection;
  raw: RecordingResponse;
  /** The times at which it asked to be looked at. */
  lookedAt: number[];
} {
  const lookedAt: number[] = [];
  const raw = new RecordingResponse();
  const host: ConnectionHost = {
    turn: new Turn(),
    opened() {},
    closed() {},
    gone() {},
    lookAt: (time) => void lookedAt.push(time),
    isOftenCut: () => false,
  };
  const settings = streamSettings(options);
  const connection = new SseConnection({ headers: {} }, streamResponse(raw), settings, host);
  return { connection, raw, lookedAt };
}

/** A stream of a hub that has handed out everything up to position 35. */
const standing: CursorSource = {
  rooms: ['a'],
  stand: { epoch: 'e', position: 35, isHeld: false },
  knows: () => false,
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

describe('the keep-alive', () => {
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
    const { connection, lookedAt } = openConnection({ keepAlive: false });
    connection.open();
    connection.authorization.ask(
      () => true,
      ['a'],
      () => {},
      () => {},
    );
    const [at = 0] = lookedAt;
    expect(at).toBeGreaterThan(performance.now() + 14_000);
    expect(connection.check(at)).toBeLessThan(Infinity);
  });
});

describe('send()', () => {
  it('writes a message with all its fields in one write', async () => {
    const { connection, raw } = openConnection();
    connection.open();
    raw.chunks.length = 0;
    await connection.send({ comment: 'n', type: 'T', id: '7', retry: 5000, data: { n: 1 } });
    expect(raw.chunks).toEqual([': n\nevent: T\nid: 7\nretry: 5000\ndata: {"n":1}\n\n']);
  });

  it('begins the stream if nothing has yet', async () => {
    const { connection, raw } = openConnection({ retry: false });
    expect(connection.state).toBe('opening');
    await connection.send({ data: 'x' });
    expect(connection.state).toBe('open');
    expect(raw.chunks.join('')).toBe(': connected\n\ndata: x\n\n');
  });

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

  it('goes on with the next message after one that was refused', async () => {
    const { connection, raw } = openConnection({ retry: false });
    await connection.send({ data: 1 });
    await expect(connection.send({ type: 'T', data: 1n })).rejects.toMatchObject({
      code: 'SSE_SERIALIZE',
    });
    await connection.send({ data: 2 });
    expect(raw.chunks.join('')).toBe(': connected\n\ndata: 1\n\ndata: 2\n\n');
  });

  it('is how a comment is sent', async () => {
    const { connection, raw } = openConnection({ retry: false });
    await connection.comment('a\nb');
    expect(raw.chunks.join('')).toBe(': connected\n\n: a\n: b\n\n');
  });

  it('rejects with SSE_CLOSED after the end', async () => {
    const { connection } = openConnection();
    connection.close();
    await expect(connection.send({ data: 'x' })).rejects.toMatchObject({ code: 'SSE_CLOSED' });
  });
});

describe('the head of a stream', () => {
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

  it.each(['1.0', '2.0'])('has no Connection header on HTTP/%s', (httpVersion) => {
    const raw = new RecordingResponse();
    streamResponse(raw, { httpVersion }).begin(
      {},
      () => {},
      () => {},
    );
    expect(raw.head?.headers).not.toHaveProperty('Connection');
    expect(raw.head?.headers).toHaveProperty('Content-Type', 'text/event-stream');
  });
});
