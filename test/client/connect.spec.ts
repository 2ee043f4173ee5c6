// What a client does, against servers of any bytes.
import { describe, expect, it, jest } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import { from, take, toArray, lastValueFrom } from 'rxjs';
import type { ConnectOptions, EventStream, StreamState } from 'nestjs-eventstream/client';
import { until } from '../support/until.js';
import { answer, collect, endOf, open, status, streamOf } from './support.js';

const FAST = 'retry: 10\n\n';

describe('a request', () => {
  it('asks for an event stream, and for nothing kept', async () => {
    const { url, requests } = await answer(streamOf(''));
    open(url);
    await until('the request', () => requests.length === 1);
    expect(requests[0]).toMatchObject({
      method: 'GET',
      headers: { accept: 'text/event-stream, application/x-sse-rooms' },
    });
    expect(requests[0]?.headers).not.toHaveProperty('last-event-id');
    expect(requests[0]?.headers['cache-control']).toBe('no-cache');
  });

  // feature: 93
  it('brings the headers, the body and the last event ID of its attempt', async () => {
    const { url, requests } = await answer(endOf(`${FAST}id: 1\n\n`), streamOf(''));
    let calls = 0;
    open(url, {
      headers: () => ({ 'X-Call': String(++calls) }),
      body: async () => `body ${calls}`,
      lastEventId: 'é€',
    });
    await until('two requests', () => requests.length === 2);
    expect(requests.map(({ method, headers }) => [method, headers['x-call']])).toEqual([
      ['POST', '1'],
      ['POST', '2'],
    ]);
    // UTF-8, as a browser sends it.
    const sent = requests.map(({ headers }) =>
      Buffer.from(String(headers['last-event-id']), 'latin1').toString(),
    );
    expect(sent).toEqual(['é€', '1']);
  });

  it('accepts what the app says that it accepts', async () => {
    const { url, requests } = await answer(streamOf(''));
    open(url, { headers: { Accept: 'text/event-stream; charset=utf-8' } });
    await until('the request', () => requests.length === 1);
    expect(requests[0]?.headers.accept).toBe('text/event-stream; charset=utf-8');
  });

  it.each<[string, ConnectOptions]>([
    ['a header with a line break', { headers: { a: 'b\nc' } }],
    ['a body of a GET', { method: 'GET', body: 'a' }],
    ['an unknown method', { method: 'a b' }],
  ])('that cannot be sent, for %s, is final', async (_what, options) => {
    const { url, requests } = await answer(streamOf(''));
    const end = await open(url, options).closed;
    expect(end).toMatchObject({ reason: 'error', error: { code: 'SSE_REQUEST', isFinal: true } });
    expect(requests).toEqual([]);
  });

  it('to no URL is final', async () => {
    expect(await open('/relative').closed).toMatchObject({ error: { code: 'SSE_REQUEST' } });
  });

  it.each(['headers', 'body'])('is made again when %s() takes too long', async (name) => {
    const { url, requests } = await answer(streamOf('data: a\n\n'));
    const errors: unknown[] = [];
    let calls = 0;
    const never = new Promise<never>(() => {});
    const stream = open(url, {
      [name]: () => (++calls <= 3 ? never : name === 'headers' ? {} : 'a'),
      stallTimeoutMs: 30,
    });
    stream.onState((_state, error) => error && errors.push(error));
    const got = collect(stream);
    await until('an event', () => got.length > 0);
    const late = { code: 'SSE_REQUEST', message: 'headers() or body() took longer than 30 ms' };
    expect(errors.slice(0, 3)).toMatchObject([late, late, late]);
    // That is not the fault of a proxy.
    expect(requests[0]?.headers.accept).toBe('text/event-stream, application/x-sse-rooms');
  });

  it('is made again when headers() rejects', async () => {
    const { url } = await answer(streamOf('data: a\n\n'));
    const errors: unknown[] = [];
    let calls = 0;
    const stream = open(url, {
      headers: async () => {
        if (++calls === 1) throw new Error('no token now');
        return {};
      },
    });
    stream.onState((_state, error) => error && errors.push(error));
    const got = collect(stream);
    await until('an event', () => got.length === 1);
    expect(errors).toMatchObject([{ code: 'SSE_REQUEST', isFinal: false }]);
  });

  it('is made again when body() throws and headers() rejects, and nothing is left unhandled', async () => {
    const { url, requests } = await answer(streamOf(''));
    let calls = 0;
    const fails = (): boolean => ++calls <= 2;
    open(url, {
      headers: async () => {
        if (fails()) throw new Error('no token');
        return {};
      },
      body: () => {
        if (fails()) throw new Error('no body');
        return 'a body';
      },
    });
    await until('a request', () => requests.length === 1);
    expect(calls).toBe(4);
  });

  it('goes through a fetch of the app', async () => {
    const asked: unknown[] = [];
    const stream = open('http://nowhere.invalid/', {
      fetch: async (url) => {
        asked.push(url);
        return new Response('data: a\n\n', { headers: { 'content-type': 'text/event-stream' } });
      },
    });
    const got = collect(stream);
    await until('an event', () => got.length > 0);
    expect(asked[0]).toBe('http://nowhere.invalid/');
  });
});

describe('a fetch of the app', () => {
  it.each<[string, unknown]>([
    ['no body', undefined],
    ['a body of another kind', { pipe: () => {} }],
  ])('that gives %s is final, and no end of the stream', async (_what, body) => {
    const headers = new Headers({ 'content-type': 'text/event-stream' });
    const response = { ok: true, status: 200, headers, body } as Response;
    const end = await open('http://nowhere.invalid/', { fetch: async () => response }).closed;
    expect(end).toMatchObject({
      reason: 'error',
      error: {
        isFinal: true,
        message:
          'the body from fetch() cannot be read in parts; pass a fetch that streams, such as expo/fetch in React Native',
      },
    });
  });
});

describe('what an app throws', () => {
  const hidden = Object.defineProperty(new Error(), 'message', {
    get: () => {
      throw new Error('hidden');
    },
  });
  it.each<[string, unknown]>([
    ['an object without a prototype', Object.create(null)],
    ['an error that hides its message', hidden],
    ['nothing', undefined],
  ])('of %s is told, and tried again', async (_what, thrown) => {
    const { url } = await answer(streamOf('data: a\n\n'));
    const errors: unknown[] = [];
    let calls = 0;
    const fail = (): never => {
      throw thrown;
    };
    const stream = open(url, {
      headers: () => (++calls === 1 ? fail() : {}),
      fetch: async (to, init) => (calls === 2 ? fail() : fetch(to, init)),
    });
    stream.onState((_state, error) => error && errors.push(error.code));
    const got = collect(stream);
    await until('an event', () => got.length === 1);
    expect(errors).toEqual(['SSE_REQUEST', 'SSE_NETWORK']);
  });
});

describe('an option', () => {
  it.each<[string, ConnectOptions]>([
    ['stallTimeoutMs', { stallTimeoutMs: 0 }],
    ['stallTimeoutMs', { stallTimeoutMs: 2 ** 31 }],
    ['maxBackoffMs', { maxBackoffMs: 1.5 }],
    ['maxBackoffMs', { maxBackoffMs: '1' as never }],
  ])('%s that is no duration is refused at once', (name, options) => {
    expect(() => open('http://nowhere.invalid/', options)).toThrow(
      new RegExp(`^${name}: expected whole milliseconds from 1 to 2147483647, got `),
    );
  });
});

describe('an answer', () => {
  it.each([200, 201, 202, 203, 206, 210, 299])('of %d with events is a stream', async (code) => {
    const { url } = await answer((response) => {
      response.writeHead(code, { 'content-type': 'text/event-stream' }).end('data: a\n\n');
    }, status(204));
    const stream = open(url);
    const got = collect(stream);
    expect(await stream.closed).toEqual({ reason: 'server' });
    expect(got).toMatchObject([{ data: 'a' }]);
  });

  it.each([204, 205])('of %d is the end, whatever its content type is', async (code) => {
    for (const type of ['text/plain', 'text/event-stream']) {
      const { url, requests } = await answer(status(code, { 'content-type': type }));
      expect(await open(url).closed).toEqual({ reason: 'server' });
      expect(requests.length).toBe(1);
    }
  });

  // feature: 94
  it('of 204 is the end', async () => {
    const { url, requests } = await answer(endOf(`${FAST}data: a\n\n`), status(204));
    const stream = open(url);
    const got = collect(stream);
    expect(await stream.closed).toEqual({ reason: 'server' });
    expect(got).toEqual([{ type: 'message', data: 'a', id: undefined }]);
    expect(requests.length).toBe(2);
  });

  it.each([400, 401, 403, 404, 410])('of %d is final, and told with its body', async (code) => {
    const { url, requests } = await answer(status(code, {}, '{"message":"no"}'));
    const stream = open(url);
    expect(await stream.closed).toMatchObject({
      reason: 'error',
      error: {
        code: 'SSE_STATUS',
        status: code,
        body: '{"message":"no"}',
        message: `the server answered ${code}: {"message":"no"}`,
      },
    });
    expect(stream.state).toBe('closed');
    expect(requests.length).toBe(1);
  });

  it.each([408, 429, 500, 502, 503, 504])('of %d is tried again', async (code) => {
    const { url } = await answer(status(code, { 'retry-after': '0' }), streamOf('data: a\n\n'));
    const stream = open(url);
    const errors: unknown[] = [];
    stream.onState((_state, error) => error && errors.push(error));
    const got = collect(stream);
    await until('an event', () => got.length === 1);
    expect(errors).toMatchObject([{ code: 'SSE_STATUS', status: code, isFinal: false }]);
  });

  it('of 503 with Retry-After is not tried again before that', async () => {
    const { url, requests } = await answer(status(503, { 'retry-after': '1' }), streamOf(''));
    open(url);
    await until('the first request', () => requests.length === 1);
    const at = performance.now();
    await until('the second request', () => requests.length === 2);
    // Timers may be early by a millisecond, and the first request was seen some time after it was
    // answered.
    expect(performance.now() - at).toBeGreaterThan(900);
  });

  it.each([
    ['text/html', { 'content-type': 'text/html' }],
    ['text/event-streams', { 'content-type': 'text/event-streams' }],
    ['none', {}],
  ])('of type %s is final', async (type, headers: Record<string, string>) => {
    const { url } = await answer(status(200, headers, '<!doctype html>'));
    const { error } = await open(url).closed;
    expect(error).toMatchObject({ code: 'SSE_CONTENT_TYPE', isFinal: true });
    expect(error?.message).toContain(`got ${type};`);
  });

  it('of 401 is final also when its body never ends', async () => {
    const { url, requests } = await answer((response) => void response.writeHead(401).write('no'));
    expect(await open(url, { stallTimeoutMs: 1_000 }).closed).toMatchObject({
      reason: 'error',
      error: { code: 'SSE_STATUS', status: 401, isFinal: true },
    });
    expect(requests.length).toBe(1);
  });

  it('of 401 is told with what came of its body, when the rest does not come and nothing watches for stalls', async () => {
    const { url } = await answer((response) => void response.writeHead(401).write('no'));
    expect(await open(url, { stallTimeoutMs: false }).closed).toMatchObject({
      error: { status: 401, body: 'no', message: 'the server answered 401: no' },
    });
  });

  it('of 401 is told with the beginning of a body that does not end to come', async () => {
    const { url } = await answer((response) => {
      response.writeHead(401);
      const more = (): void => {
        while (response.write('x'.repeat(16_384)));
      };
      response.on('drain', more);
      more();
    });
    const { error } = await open(url, { stallTimeoutMs: false }).closed;
    expect(error?.body).toBe('x'.repeat(65_536));
  });

  it('that never comes is given up', async () => {
    const { url, requests } = await answer(() => {}, streamOf('data: a\n\n'));
    const stream = open(url, { stallTimeoutMs: 30 });
    const got = collect(stream);
    await until('an event', () => got.length === 1);
    expect(requests.length).toBeGreaterThan(1);
  });

  it('twice in a row is told to the server, in a way that any origin takes', async () => {
    const never = (): void => {};
    const { url, requests } = await answer(never, never, streamOf('data: a\n\n'), never);
    const stream = open(url, { stallTimeoutMs: 30 });
    const errors: unknown[] = [];
    stream.onState((_state, error) => error && errors.push(error));
    collect(stream);
    await until('five requests', () => requests.length === 5);
    const plain = 'text/event-stream, application/x-sse-rooms';
    const told = `${plain}, application/x-sse-held-back`;
    expect(requests.map(({ headers }) => headers.accept)).toEqual([
      plain,
      plain,
      told,
      plain,
      plain,
    ]);
    expect(errors[0]).toMatchObject({
      message: expect.stringContaining('received no byte within 30 ms'),
    });
  });
});

describe('a stream', () => {
  it('tells its state, and why it waits', async () => {
    const { url } = await answer(
      (response) => response.destroy(),
      endOf(`${FAST}data: a\n\n`),
      status(404),
    );
    const stream = open(url);
    const states: [StreamState, string | undefined][] = [];
    stream.onState((state, error) => states.push([state, error?.code]));
    expect(stream.state).toBe('connecting');
    stream.on('message', () => expect(stream.state).toBe('open'));
    await stream.closed;
    expect(states).toEqual([
      ['connecting', undefined],
      ['waiting', 'SSE_NETWORK'],
      ['connecting', undefined],
      ['open', undefined],
      ['waiting', undefined],
      ['connecting', undefined],
      ['closed', 'SSE_STATUS'],
    ]);
  });

  it('comes back with an id that came in a block without data', async () => {
    const { url, requests } = await answer(endOf(`${FAST}id: 7\n\n`), streamOf(''));
    const stream = open(url);
    await until('two requests', () => requests.length === 2);
    expect(requests[1]?.headers['last-event-id']).toBe('7');
    expect(stream.lastEventId).toBe('7');
  });

  // fault: 27
  it('does not come back with an id whose block was cut', async () => {
    const { url, requests } = await answer(
      endOf(`${FAST}id: 7\ndata: a\n\nid: 8\ndata: b\n`),
      streamOf(''),
    );
    const got = collect(open(url));
    await until('two requests', () => requests.length === 2);
    expect(requests[1]?.headers['last-event-id']).toBe('7');
    expect(got.length).toBe(1);
  });

  // feature: 94
  it('that falls silent is given up and made again', async () => {
    const { url, requests } = await answer(
      streamOf(`${FAST}id: 7\ndata: a\n\n`),
      streamOf('data: b\n\n'),
    );
    const stream = open(url, { stallTimeoutMs: 500 });
    const errors: unknown[] = [];
    stream.onState((_state, error) => error && errors.push(error));
    const got = collect(stream);
    await until('two events', () => got.length >= 2);
    expect(requests[1]?.headers['last-event-id']).toBe('7');
    expect(errors[0]).toMatchObject({ code: 'SSE_STALLED' });
  });

  it('is given up after three of the keep-alives that the server tells', async () => {
    const { url, requests } = await answer(
      streamOf(`: connected, keep-alive 400\n${FAST}id: 7\ndata: a\n\n`),
      streamOf('data: b\n\n'),
    );
    const stream = open(url);
    const errors: string[] = [];
    stream.onState((_state, error) => error && errors.push(error.message));
    const got = collect(stream);
    await until('two events', () => got.length >= 2);
    expect(requests[1]?.headers['last-event-id']).toBe('7');
    expect(errors[0]).toBe('received nothing for 1200 ms, not even a keep-alive');
  });

  it.each([
    ['tells nothing', '', 45_000],
    ['says something else', ': keep-alive 17\n\n: connected, keep-alive soon\n\n', 45_000],
    ['tells long keep-alives', ': connected, keep-alive 60000\n\n', 180_000],
    ['tells such short ones that a network may be later', ': connected, keep-alive 20\n\n', 1_000],
    [
      'tells longer ones than a timer can wait',
      ': connected, keep-alive 2000000000\n\n',
      2 ** 31 - 1,
    ],
    ['tells that there are none', ': connected, keep-alive off\n\n', undefined],
  ])('of a server that %s is watched for so long', async (_what, comment, ms) => {
    const setTimeouts = jest.spyOn(globalThis, 'setTimeout');
    let server: ServerResponse | undefined;
    const { url } = await answer((response) => {
      server = response;
      streamOf(`${comment}data: 1\n\n`)(response);
    });
    const got = collect(open(url));
    await until('the first event', () => got.length === 1);
    server?.write('data: 2\n\n');
    await until('the second event', () => got.length === 2);
    // Without the last part of the time, which has a timer of its own.
    const delays = setTimeouts.mock.calls.map(([, delay]) => delay && delay + 200);
    setTimeouts.mockRestore();
    const watched = delays.filter((delay) => delay === 45_000 || (delay && delay === ms));
    // The request, its answer and the first bytes: until then nothing is told.
    expect(watched.slice(0, 3)).toEqual([45_000, 45_000, 45_000]);
    expect(new Set(watched.slice(3))).toEqual(new Set(ms === undefined ? [] : [ms]));
  });

  it('is not given up while its reader is slow, only while the server is', async () => {
    let keepAlives = 0;
    const { url, requests } = await answer((response) => {
      streamOf('data: 1\n\ndata: 2\n\n')(response);
      const timer = setInterval(() => {
        response.write(': keep-alive\n\n');
        keepAlives++;
      }, 10);
      response.on('close', () => clearInterval(timer));
    });
    const stream = open(url, { stallTimeoutMs: 300 });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    await until('the time of a stall is over', () => keepAlives > 60);
    expect(await iterator.next()).toMatchObject({ value: { data: 2 } });
    expect(requests.length).toBe(1);
  });

  it('is not given up where what came was not read because the page stood still', async () => {
    let server: ServerResponse | undefined;
    const { url, requests } = await answer((response) => {
      server = response;
      streamOf('data: 1\n\n')(response);
    });
    const got = collect(open(url, { stallTimeoutMs: 300 }));
    await until('the first event', () => got.length === 1);
    // After this, timers come before sockets.
    await new Promise(setImmediate);
    server?.write('data: 2\n\n');
    await new Promise<void>((written) => process.nextTick(written));
    const end = performance.now() + 400;
    while (performance.now() < end);
    await until('the second event', () => got.length === 2);
    expect(requests.length).toBe(1);
  });

  it('keeps its events for the first who reads', async () => {
    const { url } = await answer(streamOf('data: 1\n\ndata: 2\n\n'));
    const stream = open(url);
    await until('it is open', () => stream.state === 'open');
    const off = stream.onState(() => {});
    off();
    expect(await lastValueFrom(from(stream).pipe(take(2), toArray()))).toMatchObject([
      { data: 1 },
      { data: 2 },
    ]);
  });

  it('ends with sse-end, and keeps the id from before it', async () => {
    const { url, requests } = await answer(
      endOf(
        `${FAST}id: 7\ndata: a\n\nevent: sse-end\nid: sse-end\ndata: {"reason":"complete"}\n\n`,
      ),
    );
    const stream = open(url);
    const reasons: string[] = [];
    stream.on('sse-end', ({ data }) => reasons.push(data.reason));
    expect(await stream.closed).toEqual({ reason: 'server' });
    expect(reasons).toEqual(['complete']);
    expect(stream.lastEventId).toBe('7');
    expect(requests.length).toBe(1);
  });

  // feature: 94
  it('comes back after the time that the server asks for, however often', async () => {
    const { url, requests } = await answer(endOf('retry: 1\n\ndata: a\n\n'));
    const stream = open(url, { maxBackoffMs: 3_600_000 });
    stream.on('message', () => {});
    // With the 3 s of a server that asks for nothing this would be a minute, with a limit that
    // doubles far more.
    await until('twenty requests', () => requests.length >= 20);
    expect(stream.state).not.toBe('closed');
  });

  it('that was open for a while, but quiet, is no failure', async () => {
    const { url, requests } = await answer((response) => {
      streamOf('retry: 1\n\n')(response);
      // Longer than a refusal takes.
      setTimeout(() => response.end(), 150);
    });
    const stream = open(url, { maxBackoffMs: 3_600_000 });
    // With a limit that doubles this would be minutes.
    await until('fifteen requests', () => requests.length >= 15);
    expect(stream.state).not.toBe('closed');
  });

  // feature: 11
  it('is read right wherever its bytes are cut', async () => {
    const bytes = new TextEncoder().encode('\uFEFFid: é\r\ndata: ä€😀\r\n\r\n');
    const stream = open('http://nowhere.invalid/', {
      fetch: async () => {
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
            controller.close();
          },
        });
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      },
    });
    const { value } = await stream[Symbol.asyncIterator]().next();
    expect(value).toEqual({ type: 'message', data: 'ä€😀', id: 'é' });
  });

  it('goes on from an id that the app has set', async () => {
    const { url, requests } = await answer(endOf(`${FAST}id: 7\ndata: a\n\n`), streamOf(''));
    const stream = open(url);
    stream.on('message', () => {
      stream.lastEventId = '3';
    });
    await until('two requests', () => requests.length === 2);
    expect(requests[1]?.headers['last-event-id']).toBe('3');
  });

  it('is closed by its signal, also by one that has aborted before', async () => {
    const { url, requests } = await answer(streamOf(''));
    const abortion = new AbortController();
    const stream = open(url, { signal: abortion.signal });
    await until('it is open', () => stream.state === 'open');
    abortion.abort();
    expect(await stream.closed).toEqual({ reason: 'client' });
    await until('the server sees it', () => requests[0]?.socket.destroyed);

    const second = open(url, { signal: abortion.signal });
    expect(second.state).toBe('closed');
    expect(await second.closed).toEqual({ reason: 'client' });
    expect(requests.length).toBe(1);
    expect(getEventListeners(abortion.signal, 'abort')).toEqual([]);
  });

  it.each<StreamState>(['connecting', 'open', 'waiting'])(
    'that is closed by who hears that it is %s is closed, and nobody hears it afterwards',
    async (last) => {
      const { url, requests } = await answer(endOf(`retry: 3600000\n\ndata: a\n\n`));
      const stream = open(url);
      const states: StreamState[] = [];
      stream.onState((state) => state === last && stream.close());
      stream.onState((state) => states.push(state));
      stream.on('message', () => {});
      expect(await stream.closed).toEqual({ reason: 'client' });
      // What it does next would be done by now.
      await new Promise(setImmediate);
      const before: StreamState[] = ['connecting', 'open', 'waiting'];
      expect(states).toEqual([...before.slice(0, before.indexOf(last)), 'closed']);
      expect(requests.length).toBe(last === 'connecting' ? 0 : 1);
    },
  );

  it('that is closed when its answer is there already stays closed', async () => {
    const states: StreamState[] = [];
    const stream = open('http://nowhere.invalid/', {
      fetch: async () => {
        stream.close();
        return new Response('data: a\n\n', { headers: { 'content-type': 'text/event-stream' } });
      },
    });
    stream.onState((state) => states.push(state));
    const got = collect(stream);
    await stream.closed;
    // What it does next would be done by now.
    await new Promise(setImmediate);
    expect([states, got]).toEqual([['connecting', 'closed'], []]);
  });

  it('waits for the network only where the server has asked for no pause, and only while it waits', async () => {
    const network = new EventTarget();
    const { addEventListener, removeEventListener } = globalThis;
    globalThis.addEventListener = network.addEventListener.bind(network);
    globalThis.removeEventListener = network.removeEventListener.bind(network);
    const listeners = (): number => getEventListeners(network, 'online').length;
    try {
      const busy = open((await answer(status(503, { 'retry-after': '3600' }))).url);
      await until('it waits', () => busy.state === 'waiting');
      expect(listeners()).toBe(0);

      const { url, requests } = await answer(endOf('retry: 3600000\n\nid: 7\n\n'), streamOf(''));
      const away = open(url);
      await until('it waits', () => away.state === 'waiting');
      await until('it listens', () => listeners() === 1);
      network.dispatchEvent(new Event('online'));
      await until('it is back', () => away.state === 'open');
      expect(requests.length).toBe(2);
      expect(listeners()).toBe(0);
    } finally {
      Object.assign(globalThis, { addEventListener, removeEventListener });
    }
  });

  it('can be closed in each of its states, at once', async () => {
    const { url, requests } = await answer(() => {}, status(503, { 'retry-after': '100' }));
    const before = open(url);
    before.close();
    expect(await before.closed).toEqual({ reason: 'client' });
    const connecting = open(url);
    await until('a request', () => requests.length === 1);
    connecting.close();
    expect(await connecting.closed).toEqual({ reason: 'client' });
    await until('the server sees it', () => requests[0]?.socket.destroyed);
    const waiting = open(url);
    await until('it waits', () => waiting.state === 'waiting');
    waiting.close();
    expect(await waiting.closed).toEqual({ reason: 'client' });
    expect(requests.length).toBe(2);
  });
});

describe('data', () => {
  const text = 'data: {"n":1}\n\ndata: 7\n\ndata: null\n\ndata: some text\n\ndata: \n\n';

  it('is JSON where it is JSON, else text', async () => {
    const { url } = await answer(streamOf(text));
    const got = collect(open(url));
    await until('all', () => got.length === 5);
    expect(got.map(({ data }) => data)).toEqual([{ n: 1 }, 7, null, 'some text', '']);
  });

  it('is what parse makes of it', async () => {
    const { url } = await answer(streamOf(`event: tick\n${text}`));
    const got = collect(open(url, { parse: (data, type) => `${type} ${data}` }));
    await until('all', () => got.length === 5);
    expect(got.map(({ data }) => data).slice(0, 2)).toEqual(['tick {"n":1}', 'message 7']);
  });

  it('that parse refuses is final: it would come again', async () => {
    const { url } = await answer(streamOf('event: tick\nid: 7\ndata: {\n\n'));
    const stream = open(url, { parse: (data) => JSON.parse(data) as unknown });
    expect((await stream.closed).error).toMatchObject({ code: 'SSE_DATA', isFinal: true });
    expect(stream.lastEventId).toBeUndefined();
  });
});

describe('a loop', () => {
  // feature: 95
  it('gets each event in its turn, and leaves the connection behind', async () => {
    const { url, requests } = await answer(streamOf('data: 1\n\ndata: 2\n\ndata: 3\n\n'));
    const got: unknown[] = [];
    for await (const { data } of open(url)) {
      got.push(data);
      if (data === 2) break;
    }
    expect(got).toEqual([1, 2]);
    await until('the server sees it', () => requests[0]?.socket.destroyed);
  });

  it('leaves a quiet stream at once', async () => {
    const { url } = await answer(streamOf(''));
    const stream = open(url);
    const iterator = stream[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pending).toEqual({ value: undefined, done: true });
    expect(await stream.closed).toEqual({ reason: 'client' });
  });

  it('has the cursor of what it has got, not of what has arrived', async () => {
    const { url } = await answer(streamOf('id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n'));
    const stream = open(url);
    for await (const { id } of stream) {
      // All that has arrived is looked at, and does not count.
      await new Promise(setImmediate);
      expect(stream.lastEventId).toBe(id);
      break;
    }
    await new Promise(setImmediate);
    expect(stream.lastEventId).toBe('1');
  });

  it('holds back a server that is faster, and gets all', async () => {
    const line = `data: ${'x'.repeat(16_384)}\n\n`;
    const total = 2_000;
    let sent = 0;
    let response: ServerResponse | undefined;
    const write = (): void => {
      while (sent < total && response!.write(line)) sent++;
      if (sent < total) sent++;
    };
    const { url } = await answer((opened) => {
      streamOf('')((response = opened));
      response.on('drain', write);
      write();
    });
    const iterator = open(url)[Symbol.asyncIterator]();
    await iterator.next();
    let [before, looks] = [0, 0];
    await until('the server is held back', () => {
      looks = sent === before ? looks + 1 : 0;
      before = sent;
      return looks > 20;
    });
    // What fits into the buffers of two sockets, not 32 MiB.
    expect(sent).toBeLessThan(total);
    for (let count = 1; count < total; count++) await iterator.next();
  }, 20_000);

  it('shares the stream with others, at the pace of the slowest', async () => {
    const { url } = await answer(streamOf('data: 1\n\ndata: 2\n\n'));
    const stream = open(url);
    const got = collect(stream);
    const [one, two] = [stream[Symbol.asyncIterator](), stream[Symbol.asyncIterator]()];
    expect((await Promise.all([one.next(), two.next()])).map(({ value }) => value?.data)).toEqual([
      1, 1,
    ]);
    const second = one.next();
    // All that has arrived was looked at.
    await new Promise(setImmediate);
    expect(got.length).toBe(1);
    await two.return?.();
    expect(await second).toMatchObject({ value: { data: 2 } });
    expect(got.length).toBe(2);
    expect(stream.state).toBe('open');
  });

  it('ends with the stream, and throws what the stream failed of, once', async () => {
    const { url } = await answer(endOf(`${FAST}data: 1\n\n`), status(404));
    const stream = open(url);
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    await stream.closed;
    await expect(iterator.next()).rejects.toMatchObject({ status: 404 });
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ status: 404 });

    const ended = open((await answer(status(204))).url);
    const got: unknown[] = [];
    for await (const event of ended) got.push(event);
    expect(got).toEqual([]);
  });
});

describe('RxJS', () => {
  const outcome = (stream: EventStream): Promise<unknown> =>
    lastValueFrom(from(stream).pipe(toArray())).then(
      (events) => events.length,
      (error: unknown) => error,
    );

  it('takes a stream, and closes it by leaving', async () => {
    const { url, requests } = await answer(streamOf('data: 1\n\n'));
    const stream = open(url);
    const got: unknown[] = [];
    const subscription = from(stream).subscribe(({ data }) => got.push(data));
    await until('an event', () => got.length === 1);
    subscription.unsubscribe();
    expect(await stream.closed).toEqual({ reason: 'client' });
    await until('the server sees it', () => requests[0]?.socket.destroyed);
  });

  it('completes with the stream, and fails with it', async () => {
    expect(await outcome(open((await answer(endOf(`${FAST}data: 1\n\n`), status(204))).url))).toBe(
      1,
    );
    const failed = open((await answer(status(403))).url);
    expect(await outcome(failed)).toMatchObject({ status: 403 });
    // Also who comes later.
    expect(await outcome(failed)).toMatchObject({ status: 403 });
  });
});

describe('a listener', () => {
  it('gets the events of its type until it leaves, and the stream stays open', async () => {
    const { url } = await answer(streamOf('event: a\ndata: 1\n\ndata: 2\n\nevent: a\ndata: 3\n\n'));
    const stream = open(url);
    const got: unknown[] = [];
    const off = stream.on('a', ({ data }) => {
      got.push(data);
      off();
    });
    stream.on('message', ({ data }) => got.push(data));
    const all = collect(stream);
    await until('all', () => all.length === 3);
    expect(got).toEqual([1, 2]);
    expect(stream.state).toBe('open');
  });

  it('that another one has ended gets no more, and one that another one has added gets the next', async () => {
    const { url } = await answer(streamOf('data: 1\n\ndata: 2\n\n'));
    const stream = open(url);
    const got: unknown[] = [];
    const off = [
      stream.on('message', () => {
        off.pop()?.();
        stream.on('message', ({ data }) => got.push(data));
      }),
      stream.on('message', () => got.push('never')),
    ];
    const all = collect(stream);
    await until('all', () => all.length === 2);
    expect(got).toEqual([2]);
  });
});
