// Who is let in, who is refused and how, and when a place is free again.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Param, Query } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { NEVER, of, throwError } from 'rxjs';
import {
  Broadcaster,
  SSE_CHANNELS,
  SseConnections,
  SseStream,
  type SseDiagnostics,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('quiet') quiet() {
    return NEVER;
  }
  @SseStream('short') short() {
    return of(1);
  }
  @SseStream('failing') failing() {
    return throwError(() => new Error('as it happens'));
  }
  @SseStream('room/:room') room(@Param('room') room: string) {
    return this.hub.stream(room);
  }
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('strict', { rejectWith: 'status' }) strict() {
    return this.hub.stream('strict');
  }
}

const start = (limits: SseModuleOptions['limits'], adapter: Adapter = 'express', more = {}) =>
  serve(Streams, { adapter, sse: { limits, ...more } });

/** The whole answer of a request that is not to stay open. */
async function ask(app: TestApp, path: string) {
  const stream = app.open(path);
  const { status, headers } = await responded(stream);
  return { status, headers, text: await stream.ended };
}

const open = async (app: TestApp, path: string, count = 1) => {
  const streams = Array.from({ length: count }, () => app.open(path));
  await Promise.all(
    streams.map((stream) => stream.until(({ text }) => text.startsWith(': connected'))),
  );
  return streams;
};

const RETRY_ALONE = /^retry: \d+\n\n$/;
const countOf = (app: TestApp): number => app.nest.get(SseConnections).count;

describe.each(ADAPTERS)('limits, on %s', (adapter) => {
  // feature: 68
  // fault: 24
  it('refuse whom there is no place for by 200, a reconnection time and the end', async () => {
    const app = await start({ maxConnections: 2 }, adapter);
    const [first] = await open(app, '/quiet', 2);
    const { status, headers, text } = await ask(app, '/quiet');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream');
    expect(text).toMatch(RETRY_ALONE);
    first?.close();
    await until('it is noticed', () => countOf(app) === 1);
    await open(app, '/quiet');
    expect(countOf(app)).toBe(2);
  });

  // feature: 68
  it('refuse by 429 and Retry-After, where the stream says so', async () => {
    const app = await start({ maxConnections: 2, maxPerKey: 1, maxPerRoom: 1 }, adapter);
    await open(app, '/room/strict');
    const { status, headers, text } = await ask(app, '/strict');
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(2);
    expect(JSON.parse(text)).toEqual({
      statusCode: 429,
      message: expect.stringMatching(/^You have too many open streams; try again in \d+ s$/),
      reason: 'key',
    });
  });

  // feature: 68
  it('have 503 for a full process and for a full room', async () => {
    const full = await start({ maxConnections: 1 }, adapter);
    await open(full, '/quiet');
    expect(await ask(full, '/strict')).toMatchObject({ status: 503 });
    const room = await start({ maxPerRoom: 1 }, adapter);
    await open(room, '/strict');
    const { status, text, headers } = await ask(room, '/strict');
    expect(status).toBe(503);
    expect(headers['retry-after']).toMatch(/^\d+$/);
    expect(JSON.parse(text)).toMatchObject({ reason: 'room' });
    expect(countOf(room)).toBe(1);
  });
});

describe.each(ADAPTERS)('a limit on %s', (adapter) => {
  // feature: 67
  it('of 1 000 in a room refuses the next, and those in it stay', async () => {
    const app = await start({ maxPerRoom: 1_000 }, adapter);
    const streams: TestStream[] = [];
    while (streams.length < 1_000) streams.push(...(await open(app, '/room/a', 100)));
    expect((await ask(app, '/room/a')).text).toMatch(RETRY_ALONE);
    await app.nest.get(Broadcaster).to('a').emit('still', 'here');
    const got = await Promise.all(streams.map((stream) => stream.next()));
    expect(got.every(({ data }) => data === 'here')).toBe(true);
    expect(countOf(app)).toBe(1_000);
  }, 30_000);

  // feature: 76
  it('of connects per second refuses the 21st of a burst, and has a place at the time that it told', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const connectRate = { perSecond: 10, burst: 20 };
      const app = await start({ connectRate }, adapter, { retry: 0 });
      const answers = await Promise.all(Array.from({ length: 21 }, () => ask(app, '/short')));
      const refused = answers.filter(({ text }) => RETRY_ALONE.test(text));
      expect(refused).toHaveLength(1);
      const retry = Number(/\d+/.exec(refused[0]?.text ?? '')?.[0]);
      expect(retry).toBe(100);
      jest.advanceTimersByTime(retry - 1);
      expect((await ask(app, '/short')).text).toMatch(RETRY_ALONE);
      jest.advanceTimersByTime(1);
      expect((await ask(app, '/short')).text).toContain('data: 1\n\n');
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('a limit', () => {
  // feature: 66
  it('has exactly as many open as it says when 1 000 come at once', async () => {
    const app = await start({ maxConnections: 100 });
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => {
        const stream = app.open('/quiet');
        return stream.until(({ text }) => text.includes('retry: ')).then(() => stream.text);
      }),
    );
    expect(countOf(app)).toBe(100);
    expect(answers.filter((text) => text.startsWith(': connected'))).toHaveLength(100);
    expect(answers.filter((text) => RETRY_ALONE.test(text))).toHaveLength(900);
  }, 30_000);

  it.each(['/short', '/failing'])('has the place free again after %s', async (path) => {
    const app = await start({ maxConnections: 1, maxPerKey: 1 });
    for (let n = 0; n < 3; n++) await ask(app, path);
    await until('all have left', () => countOf(app) === 0);
    await open(app, '/quiet');
    expect((await ask(app, '/quiet')).text).toMatch(RETRY_ALONE);
  });

  it('counts once who is closed by somebody that hears of its opening', async () => {
    const app = await start({ maxConnections: 1 });
    const connections = app.nest.get(SseConnections);
    const watching = connections.opened$.subscribe((connection) => connection.close('at once'));
    for (let n = 0; n < 3; n++) await ask(app, '/quiet');
    watching.unsubscribe();
    await open(app, '/quiet');
    expect((await ask(app, '/quiet')).text).toMatch(RETRY_ALONE);
  });

  it('refuses with the headers of the stream, such as those of CORS', async () => {
    const headers = { 'Access-Control-Allow-Origin': 'https://example.com' };
    const app = await start({ maxConnections: 1 }, 'express', { headers });
    await open(app, '/quiet');
    expect((await ask(app, '/quiet')).headers).toMatchObject({
      'access-control-allow-origin': 'https://example.com',
    });
  });

  it('refuses a key that would be another one for each request', async () => {
    const key = (async () => 'ann') as never;
    const app = await start({ maxPerKey: 1, key });
    expect((await responded(app.open('/quiet'))).status).toBe(500);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  // feature: 66
  it('counts per key, which is the address or what the app says', async () => {
    const key = (request: { headers: IncomingHttpHeaders }): string =>
      String(request.headers['x-user']);
    const app = await start({ maxPerKey: 1, key });
    const as = async (user: string): Promise<string> => {
      const stream = app.open('/quiet', { headers: { 'x-user': user } });
      await stream.until(({ text }) => text.includes('retry: '));
      return stream.text;
    };
    expect(await as('ann')).toMatch(/^: connected/);
    expect(await as('ann')).toMatch(RETRY_ALONE);
    expect(await as('bob')).toMatch(/^: connected/);
  });

  it('of connects per second lets a burst in, and tells the next when to come', async () => {
    const app = await start({ connectRate: { perSecond: 0.1, burst: 3 } }, 'express', { retry: 0 });
    for (let n = 0; n < 3; n++) expect((await ask(app, '/short')).text).toContain('data: 1');
    const { text } = await ask(app, '/short');
    const retry = Number(/^retry: (\d+)\n\n$/.exec(text)?.[1]);
    expect(retry).toBeGreaterThan(5_000);
    expect(retry).toBeLessThanOrEqual(10_000);
  });

  it('of a room keeps those who are in it', async () => {
    const app = await start({ maxPerRoom: 2 });
    const [first] = await open(app, '/room/a', 2);
    expect((await ask(app, '/room/a')).text).toMatch(RETRY_ALONE);
    await open(app, '/room/b');
    await app.nest.get(Broadcaster).to('a').emit('still', 'here');
    expect((await first!.next()).data).toBe('here');
  });

  it('of rooms is the client’s error', async () => {
    const app = await start({ maxRoomsPerConnection: 2 });
    await open(app, '/rooms?rooms=a,b');
    const { status, text } = await ask(app, '/rooms?rooms=a,b,c');
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      message:
        'limits.maxRoomsPerConnection is 2: the connection would read 3 rooms; request fewer',
    });
  });

  it('of an event’s size rejects the publish and nothing else', async () => {
    const app = await start({ maxEventBytes: 100 });
    const [stream] = await open(app, '/room/a');
    const room = app.nest.get(Broadcaster).to('a');
    await expect(room.emit('big', 'ä'.repeat(60))).rejects.toMatchObject({
      code: 'SSE_LIMIT',
      limit: 'maxEventBytes',
      max: 100,
      message: expect.stringContaining('an event of 138 bytes was not published'),
    });
    await room.emit('small', 'ok');
    expect((await stream!.next()).data).toBe('ok');
  });

  it('of the rooms of an event rejects the publish and nothing else', async () => {
    const app = await start({ maxRoomsPerEvent: 2 });
    const [stream] = await open(app, '/room/a');
    const hub = app.nest.get(Broadcaster);
    await expect(hub.to('a', 'b', 'c').emit('many', 1)).rejects.toMatchObject({
      code: 'SSE_LIMIT',
      limit: 'maxRoomsPerEvent',
      max: 2,
      message: expect.stringContaining('an event for 3 rooms was not published'),
    });
    // The same room twice is one room.
    await hub.to('a', 'b', 'a').emit('two', 'ok');
    expect((await stream!.next()).data).toBe('ok');
  });

  it('is told on its channel, and in the log once for many', async () => {
    const refusals: SseDiagnostics['refuse'][] = [];
    const hear = (message: unknown): void => {
      refusals.push(message as SseDiagnostics['refuse']);
    };
    subscribe(SSE_CHANNELS.refuse, hear);
    try {
      const app = await start({ maxConnections: 1 });
      await open(app, '/quiet');
      for (let n = 0; n < 5; n++) await ask(app, '/quiet?ticket=secret');
      expect(refusals.map(({ reason }) => reason)).toEqual(Array(5).fill('process'));
      expect(app.logged).toHaveLength(1);
    } finally {
      unsubscribe(SSE_CHANNELS.refuse, hear);
    }
  });
});
