import { afterEach, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { sseContract } from 'nestjs-eventstream/contract';
import { sharedStream, type SharedStream } from 'nestjs-eventstream/shared';
import { z } from 'zod';
import { until } from '../support/until.js';
import { answer, status, streamOf } from './support.js';

/** What is called after each test. A second call does nothing. */
let offs: (() => void)[] = [];
afterEach(() => {
  for (const off of offs.splice(0)) off();
});

const open = (stream: Pick<SharedStream, 'getSnapshot'>): Promise<void> =>
  until('it is open', () => stream.getSnapshot().state === 'open');

/** A server that the test writes to. */
async function stage(): Promise<{
  url: string;
  requests: object[];
  write: (text: string) => void;
}> {
  const responses: ServerResponse[] = [];
  const { url, requests } = await answer((response) => {
    streamOf(': here\n\n')(response);
    responses.push(response);
  });
  return { url, requests, write: (text) => responses.forEach((each) => each.write(text)) };
}

const numbered = (no: number): string => `event: n\ndata: ${no}\nid: ${no}\n\n`;

it('opens nothing until somebody reads it, and closes some time after the last one', async () => {
  const { url, requests } = await stage();
  const [one, two] = [sharedStream(url), sharedStream(url)];
  one.stateOf('a').getSnapshot();
  expect(one.getSnapshot()).toEqual({ state: 'connecting', error: undefined });
  const states: string[] = [];
  offs = [
    one.subscribe(() => states.push(one.getSnapshot().state)),
    two.on('n', () => {}),
    two.stateOf('a').subscribe(() => {}),
  ];
  await open(two);
  expect(one.getSnapshot()).toBe(two.getSnapshot());
  offs[0]!();
  offs[0]!();
  offs[1]!();
  expect(two.getSnapshot().state).toBe('open');
  offs[2]!();
  // Somebody who comes at once finds it open.
  const again = two.on('n', () => {});
  expect(two.getSnapshot().state).toBe('open');
  again();
  await until('it is closed', () => two.getSnapshot().state === 'connecting');
  expect(requests).toHaveLength(1);
  expect(states).toEqual(['open']);
  const off = one.onEvent(() => {});
  await open(one);
  off();
  expect(requests).toHaveLength(2);
});

it('shares by URL or contract, headers, credentials and validate', async () => {
  const { url, requests } = await stage();
  const contract = sseContract({ path: '/', events: { n: z.number() } });
  const other = sseContract({ path: '/', events: { n: z.number() } });
  const streams = [
    [sharedStream(url), sharedStream(new URL(url), { maxBackoffMs: 1 })],
    [sharedStream(url, { headers: { a: 'b' } }), sharedStream(url, { headers: [['A', 'b']] })],
    [sharedStream(url, { headers: () => ({ a: '1' }) }), sharedStream(url, { headers: () => [] })],
    [sharedStream(url, { credentials: 'include' })],
    [sharedStream(contract, { baseUrl: url }), sharedStream(contract, { baseUrl: new URL(url) })],
    [sharedStream(contract, { baseUrl: url, validate: true })],
    [sharedStream(other, { baseUrl: url })],
  ] as unknown as SharedStream[][];
  offs = streams.flat().map((stream) => stream.subscribe(() => {}));
  for (const stream of streams.flat()) await open(stream);
  expect(requests).toHaveLength(streams.length);
});

it('keeps events for the first listener, and the entries of all state rooms', async () => {
  const { url, write } = await stage();
  const stream = sharedStream<{ n: number }>(url);
  offs.push(stream.subscribe(() => {}));
  await open(stream);
  write('event: sse-state\ndata: {"rooms":["a"],"entries":1}\n\n');
  write('event: sse-set\ndata: {"room":"a","key":"k","value":1}\n\n');
  write(numbered(2));
  const seen: string[] = [];
  offs.push(stream.onEvent(({ type }) => seen.push(type)));
  await until('the first event', () => seen.includes('n'));
  const late: number[] = [];
  offs.push(stream.on('n', ({ data }) => late.push(data)));
  write(numbered(3));
  await until('the second event', () => late.length > 0);
  expect(seen).toEqual(['sse-state', 'sse-set', 'n', 'n']);
  expect(late).toEqual([3]);
  expect(stream.lastEventId).toBe('3');

  const room = stream.stateOf<{ k: number }>('a');
  expect(room.getSnapshot().size).toBe(0);
  let changes = 0;
  offs.push(room.subscribe(() => (changes += 1)));
  const before = room.getSnapshot();
  expect([...before]).toEqual([['k', 1]]);
  write('event: sse-set\ndata: {"room":"a","key":"k","value":2}\nid: 4\n\n');
  await until('the change', () => room.getSnapshot().get('k') === 2);
  expect([...before]).toEqual([['k', 1]]);
  expect(changes).toBeGreaterThan(0);
});

it('tells a listener that comes back that it missed events, once, and nobody else', async () => {
  const { url, write } = await stage();
  const stream = sharedStream<{ n: number }>(url);
  const seen: unknown[] = [];
  const listener = ({ type, data }: { type: string; data: unknown }): void =>
    void seen.push(type === 'n' ? data : type);
  const others: unknown[] = [];
  offs.push(stream.onEvent(({ data }) => others.push(data)));
  stream.onEvent(listener)();
  let off = stream.onEvent(listener);
  await open(stream);
  write(numbered(1));
  await until('an event', () => seen.length === 1);
  off();
  write(numbered(2));
  await until('an event for the other', () => others.length === 2);
  // As React's StrictMode does.
  stream.onEvent(listener)();
  off = stream.onEvent(listener);
  write(numbered(3));
  await until('an event', () => seen.includes(3));
  off();
  // A listener of one type is told if that is the type.
  const another = sharedStream(`${url}?other`);
  off = another.on('sse-gap', listener);
  await until('a gap', () => seen.length === 4);
  off();
  expect(seen).toEqual([1, 'sse-gap', 3, 'sse-gap']);
  expect(others).toEqual([1, 2, 3]);
});

it('is closed for all after a final error, and opened again when all have gone', async () => {
  const { url, requests } = await answer(status(401), streamOf(numbered(1)));
  const stream = sharedStream(url);
  offs = [stream.subscribe(() => {}), stream.onEvent(() => {})];
  await until('it is closed', () => stream.getSnapshot().state === 'closed');
  expect(stream.getSnapshot().error?.status).toBe(401);
  offs.push(stream.on('n', () => {}));
  expect(stream.getSnapshot().state).toBe('closed');
  for (const off of offs) off();
  expect(stream.getSnapshot().state).toBe('connecting');
  const off = stream.subscribe(() => {});
  await open(stream);
  off();
  expect(requests).toHaveLength(2);
});

it('refuses what cannot be shared, and states that would not be whole', async () => {
  const { url } = await stage();
  const expected =
    'a shared stream is a GET request that closes with its last reader; use connect()';
  for (const options of [{ method: 'POST' }, { body: 'a' }, { signal: AbortSignal.abort() }]) {
    const name = Object.keys(options)[0];
    expect(() => sharedStream(url, options as never)).toThrow(`${name}: ${expected}`);
  }
  expect(() => sharedStream(url, { maxBackoffMs: 0 }).subscribe(() => {})).toThrow('maxBackoffMs');
  const resumed = sharedStream(url, { lastEventId: '1', credentials: 'omit' });
  expect(() => resumed.stateOf('a').subscribe(() => {})).toThrow(/lastEventId: stateOf\(\) needs/);
  const persist = { getItem: () => null, setItem: () => {} };
  const kept = sharedStream(url, { persist, credentials: 'include' });
  expect(() => kept.stateOf('a').subscribe(() => {})).toThrow(/persist keeps no entries/);
});
