// Where a redirect leads a client, between two real servers: each port is an origin of its own.
import { describe, expect, it } from '@jest/globals';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectOptions } from 'nestjs-eventstream/client';
import { answer, collect, endOf, open, status, streamOf } from './support.js';
import { until } from '../support/until.js';

const SECRETS = { authorization: 'Bearer a', 'x-api-key': 'b', cookie: 'c=d' };
const CODES = [301, 302, 303, 307, 308];

interface Asked {
  readonly path: string | undefined;
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * A server that redirects from `/` as told, streams an event anywhere else, and keeps what it was
 * asked.
 */
async function site(redirect: (response: ServerResponse, request: IncomingMessage) => void) {
  const asked: Asked[] = [];
  const { url } = await answer((response, request) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { url: path, method, headers } = request;
      asked.push({ path, method, headers, body });
      if (path === '/end') streamOf('data: here\n\n')(response);
      else redirect(response, request);
    });
  });
  return { url, asked };
}

const to = (code: number, location: string) => status(code, { location }, 'moved');

describe('a redirect within the origin', () => {
  it.each(CODES)('by %d is followed, with all that the request brings', async (code) => {
    const { url, asked } = await site(to(code, '/end'));
    const got = collect(open(url, { headers: SECRETS, lastEventId: '7' }));
    await until('the event', () => got.length === 1);
    expect(asked.map(({ path, method }) => [path, method])).toEqual([
      ['/', 'GET'],
      ['/end', 'GET'],
    ]);
    expect(asked[1]?.headers).toMatchObject({ ...SECRETS, 'last-event-id': '7' });
  });

  it.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', '{"a":1}'],
    [308, 'POST', '{"a":1}'],
  ])('by %d turns a POST into %s', async (code, method, body) => {
    const { url, asked } = await site(to(code, 'end'));
    const headers = { 'content-type': 'application/json', 'x-api-key': 'b' };
    const got = collect(open(url, { headers, body: '{"a":1}' }));
    await until('the event', () => got.length === 1);
    expect(asked[0]).toMatchObject({ method: 'POST', body: '{"a":1}' });
    expect(asked[1]).toMatchObject({ method, body, headers: { 'x-api-key': 'b' } });
    expect(asked[1]?.headers['content-type']).toBe(body === '' ? undefined : 'application/json');
  });

  it('is followed again for each attempt, from the first URL on', async () => {
    const { url, requests } = await answer(
      to(307, '/a'),
      endOf('retry: 10\n\nid: 7\n\n'),
      to(307, '/b'),
      streamOf(''),
    );
    open(url);
    await until('four requests', () => requests.length === 4);
    expect(requests.map((request) => [request.url, request.headers['last-event-id']])).toEqual([
      ['/', undefined],
      ['/a', undefined],
      ['/', '7'],
      ['/b', '7'],
    ]);
  });

  it('is followed twenty times, and no more', async () => {
    let hops = 0;
    const twenty = await site((response) => to(302, ++hops < 20 ? `/${hops}` : '/end')(response));
    const got = collect(open(twenty.url));
    await until('the event', () => got.length === 1);

    const endless = await site((response) => to(302, '/again')(response));
    const { error } = await open(endless.url).closed;
    expect(error).toMatchObject({ code: 'SSE_REDIRECT', isFinal: true });
    expect(error?.message).toContain('redirects more than 20 times');
    expect(endless.asked.length).toBe(21);
  });

  it('lets go of the socket of the answer that redirected', async () => {
    const { url, requests } = await answer((response) => {
      response.writeHead(302, { location: '/end' }).write('never complete');
    }, streamOf('data: 1\n\n'));
    const got = collect(open(url));
    await until('the event', () => got.length === 1);
    await until('the first socket is closed', () => requests[0]?.socket.destroyed);
    expect(requests[1]?.socket.destroyed).toBe(false);
  });
});

describe('a redirect to another origin', () => {
  // feature: 93
  it.each(CODES)('by %d ends the stream, and nothing reaches that origin', async (code) => {
    const other = await answer(streamOf('data: theirs\n\n'));
    const { url, asked } = await site(to(code, other.url));
    const end = await open(url, { headers: SECRETS, lastEventId: '7', body: 'secret' }).closed;
    expect(end).toMatchObject({ error: { code: 'SSE_REDIRECT', isFinal: true } });
    const { origin } = new URL(other.url);
    expect(end.error?.message).toBe(
      `the server redirects to another origin, ${origin}: connect to that URL, or set redirect: 'follow' if it may get your headers`,
    );
    expect(asked.length).toBe(1);
    expect(other.requests).toEqual([]);
  });

  it('ends the stream also behind one within it, and where it would lead back', async () => {
    const home: { url?: string } = {};
    const other = await answer((response) => to(307, `${home.url}end`)(response));
    const { url, asked } = await site((response, request) =>
      to(307, request.url === '/' ? '/away' : other.url)(response),
    );
    home.url = url;
    expect(await open(url, { body: 'secret' }).closed).toMatchObject({
      error: { code: 'SSE_REDIRECT' },
    });
    expect(asked.map(({ path }) => path)).toEqual(['/', '/away']);
    expect(other.requests).toEqual([]);
  });

  it.each(['https://127.0.0.1:1/', 'file:///etc/passwd', 'data:text/event-stream,data:%20a', '//'])(
    'is one of the kind of %s too',
    async (location) => {
      const { url } = await site(to(302, location));
      expect(await open(url).closed).toMatchObject({
        error: { code: 'SSE_REDIRECT', isFinal: true },
      });
    },
  );
});

describe('redirect', () => {
  it("of 'follow' goes wherever fetch goes", async () => {
    const other = await answer(streamOf('data: theirs\n\n'));
    const { url } = await site(to(307, other.url));
    const got = collect(open(url, { redirect: 'follow', headers: SECRETS, body: 'a' }));
    await until('the event', () => got.length === 1);
    expect(other.requests[0]).toMatchObject({ method: 'POST', headers: { 'x-api-key': 'b' } });
  });

  it("of 'error' follows none", async () => {
    const { url, asked } = await site(to(302, '/end'));
    const { error } = await open(url, { redirect: 'error' }).closed;
    expect(error).toMatchObject({ code: 'SSE_REDIRECT', isFinal: true });
    expect(asked.length).toBe(1);
  });

  it('of something else is refused at once', () => {
    const options = { redirect: 'manual' } as unknown as ConnectOptions;
    expect(() => open('http://nowhere.invalid/', options)).toThrow(
      "redirect: expected 'same-origin', 'follow' or 'error', got manual",
    );
  });

  it.each([300, 302, 304])('does not matter to a %d that names no place', async (code) => {
    const { url } = await answer(status(code));
    expect(await open(url).closed).toMatchObject({ error: { code: 'SSE_STATUS', status: code } });
  });
});
