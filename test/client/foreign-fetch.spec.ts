// A `fetch` that is not the platform's: bodies that are no web streams, or none at all.
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import nodeFetch3 from 'node-fetch';
import type { ConnectOptions } from 'nestjs-eventstream/client';
import { answer, collect, endOf, open, status, streamOf } from './support.js';
import { until } from '../support/until.js';

type Fetch = NonNullable<ConnectOptions['fetch']>;

const nodeFetch2 = createRequire(import.meta.url)('node-fetch-2') as Fetch;

/** React Native's: `text()` gives the body, which is not there as a stream. */
const withoutBody: Fetch = async (url, init) => {
  const response = await fetch(url, init);
  const { ok, status: code, type, headers } = response;
  return { ok, status: code, type, headers, text: () => response.text() } as Response;
};

const OTHERS: Record<string, Fetch> = {
  'node-fetch 2': nodeFetch2,
  'node-fetch 3': nodeFetch3 as unknown as Fetch,
};
const ALL: Record<string, Fetch> = { ...OTHERS, 'a fetch without bodies': withoutBody };

describe.each(Object.entries(ALL))('with %s, a stream', (_name, fetch) => {
  it.each([400, 401, 403, 404])('is refused for good by %i', async (code) => {
    const { url, requests } = await answer(status(code, {}, 'not for you'));
    const { error } = await open(url, { fetch }).closed;
    expect(error).toMatchObject({ code: 'SSE_STATUS', isFinal: true, status: code });
    expect(error?.body).toBe('not for you');
    expect(requests.length).toBe(1);
  });

  it('asks again after 503, with what the server said', async () => {
    const { url } = await answer(status(503, {}, 'busy'), status(204));
    const stream = open(url, { fetch });
    const bodies: unknown[] = [];
    stream.onState((state, error) => {
      if (state === 'waiting') bodies.push(error?.body);
    });
    expect((await stream.closed).reason).toBe('server');
    expect(bodies).toEqual(['busy']);
  });

  it('lets go of a refusal whose body does not end', async () => {
    const { url, requests } = await answer((response) => {
      response.writeHead(401).write('not for you');
    });
    const { error } = await open(url, { fetch }).closed;
    expect(error).toMatchObject({ code: 'SSE_STATUS', status: 401 });
    await until('the server sees it', () => requests[0]?.socket.destroyed);
  });

  it('follows a redirect', async () => {
    const { url, requests } = await answer(
      status(307, { location: '/there' }, 'go there'),
      status(204),
    );
    expect((await open(url, { fetch }).closed).error).toBeUndefined();
    expect(requests.map((request) => request.url)).toEqual(['/', '/there']);
  });
});

describe.each(Object.entries(OTHERS))('with %s, a stream', (_name, fetch) => {
  it('is read, and goes on where it stopped', async () => {
    const { url, requests } = await answer(
      endOf('retry: 10\n\nid: 7\ndata: "é😀"\n\n'),
      endOf('data: 2\n\n'),
      status(204),
    );
    const stream = open(url, { fetch });
    const got = collect(stream);
    expect((await stream.closed).error).toBeUndefined();
    expect(got).toMatchObject([{ data: 'é😀', id: '7' }, { data: 2 }]);
    expect(requests[1]?.headers['last-event-id']).toBe('7');
  });

  it('lets go of its socket when it is closed', async () => {
    const { url, requests } = await answer(streamOf('data: 1\n\n'));
    const stream = open(url, { fetch });
    const got = collect(stream);
    await until('an event', () => got.length === 1);
    stream.close();
    await until('the server sees it', () => requests[0]?.socket.destroyed);
    expect(await stream.closed).toEqual({ reason: 'client' });
  });

  it('comes back to a server that is silent for too long', async () => {
    const { url, requests } = await answer(streamOf('retry: 10\n\n'), status(204));
    expect((await open(url, { fetch, stallTimeoutMs: 50 }).closed).reason).toBe('server');
    expect(requests.length).toBe(2);
  });
});

it('a fetch without bodies is refused for good, with the remedy', async () => {
  const { url, requests } = await answer(endOf('data: 1\n\n'));
  const { error } = await open(url, { fetch: withoutBody }).closed;
  expect(error).toMatchObject({ code: 'SSE_CONTENT_TYPE', isFinal: true });
  expect(error?.message).toBe(
    'the body from fetch() cannot be read in parts; pass a fetch that streams, such as expo/fetch in React Native',
  );
  expect(requests.length).toBe(1);
});

describe('a stream as body', () => {
  const streams: [string, () => unknown][] = [
    ['a ReadableStream', () => new Blob(['a']).stream()],
    [
      'one that is read already',
      () => {
        const stream = new Blob(['a']).stream();
        stream.getReader();
        return stream;
      },
    ],
    ['a function that gives one', () => () => new Blob(['a']).stream()],
    ['an async iterable', () => (async function* () {})()],
  ];
  it.each(streams)('%s is refused at once', async (_what, body) => {
    const { url, requests } = await answer(streamOf(''));
    const { error } = await open(url, { body: body() as string }).closed;
    expect(error).toMatchObject({ code: 'SSE_REQUEST', isFinal: true });
    expect(error?.message).toBe(
      'the request cannot be sent: body is a stream, which can be sent only once; pass a string, bytes, a Blob or FormData',
    );
    expect(requests.length).toBe(0);
  });
});
