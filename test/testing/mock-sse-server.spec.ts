import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, type EventStream } from 'nestjs-eventstream/client';
import {
  mockSseServer,
  type MockSseServer,
  type ScriptedMessage,
} from 'nestjs-eventstream/testing';
import { until } from '../support/until.js';

let server: MockSseServer;
const clients: EventStream[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

async function reading(script: ScriptedMessage[], headers?: Record<string, string>) {
  server = await mockSseServer(script);
  const got: { type: string; data: unknown; id: string | undefined }[] = [];
  const client = connect(`${server.url}/prices?of=ACME`, {
    maxBackoffMs: 1,
    ...(headers && { headers }),
  });
  client.subscribe((event) => got.push(event));
  clients.push(client);
  return { client, got };
}

const SCRIPT: ScriptedMessage[] = [
  { comment: 'hello', retry: 1 },
  { type: 'price', id: 1, data: 42 },
  { type: 'price', id: 2, data: { value: 43 }, delayMs: 1 },
];

describe('mockSseServer()', () => {
  // feature: 89
  it('gives each client the script, and remembers what it has asked', async () => {
    const { got } = await reading(SCRIPT, { 'x-api-key': 'k' });
    await until('all came', () => got.length === 2);
    expect(got).toEqual([
      { type: 'price', id: '1', data: 42 },
      { type: 'price', id: '2', data: { value: 43 } },
    ]);
    expect(server.requests).toMatchObject([
      { method: 'GET', url: '/prices?of=ACME', headers: { 'x-api-key': 'k' } },
    ]);
  });

  it.each(['cut', 'end'] as const)('%s(): clients come back, and get what follows', async (how) => {
    const { client, got } = await reading([...SCRIPT, { id: 3, data: 'never', delayMs: 600_000 }]);
    await until('two came', () => got.length === 2);
    const states: string[] = [];
    client.onState((state) => states.push(state));
    server[how]();
    await until('it is back', () => states.includes('open'));
    expect(server.requests.at(-1)?.headers['last-event-id']).toBe('2');
    server.send({ type: 'price', data: 44 });
    await until('it goes on', () => got.length === 3);
    expect(got.at(-1)).toMatchObject({ data: 44 });
  });

  it('sends five messages in order, as an event stream', async () => {
    const script = [1, 2, 3, 4, 5].map((n) => ({ id: n, data: n, delayMs: 1 }));
    const { got } = await reading(script);
    await until('five came', () => got.length === 5);
    expect(got.map(({ data }) => data)).toEqual([1, 2, 3, 4, 5]);
    const { status, headers, body } = await fetch(server.url);
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      connection: 'keep-alive',
    });
    await body?.cancel();
  });

  it('refuse(): one request each, in turn; clients come back where they may', async () => {
    server = await mockSseServer(SCRIPT);
    server.refuse(503, { 'Retry-After': '1' });
    server.refuse(401);
    const errors: unknown[] = [];
    const client = connect(server.url, { maxBackoffMs: 1 });
    clients.push(client);
    client.onState(
      (state, error) => error && errors.push([state, error.status, error.retryAfterMs]),
    );
    expect(await client.closed).toMatchObject({ reason: 'error', error: { status: 401 } });
    expect(errors).toEqual([
      ['waiting', 503, 1_000],
      ['closed', 401, undefined],
    ]);
    expect(server.requests).toHaveLength(2);
  });

  it('refuse(204): the client does not come back', async () => {
    const { client, got } = await reading(SCRIPT);
    await until('all came', () => got.length === 2);
    server.refuse(204);
    server.end();
    expect(await client.closed).toEqual({ reason: 'server' });
    expect(server.requests).toHaveLength(2);
    const { status, body } = await fetch(server.url);
    expect(status).toBe(200);
    await body?.cancel();
  });

  it.each([100, 600, 200.5])('refuse(%d) is no status', async (status) => {
    server = await mockSseServer([]);
    expect(() => server.refuse(status)).toThrow('status: expected an integer from 200 to 599, got');
  });

  it('close(): cuts streams that are open, and waits for nothing of their scripts', async () => {
    // Other timers are few.
    const count = 50;
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    server = await mockSseServer([{ data: 1 }, { data: 'never', delayMs: 600_000 }]);
    const readers = await Promise.all(
      Array.from({ length: count }, async () => (await fetch(server.url)).body!.getReader()),
    );
    await Promise.all(readers.map((reader) => reader.read()));
    await until('all wait', () => timers() >= count);
    await server.close();
    await expect(readers[0]!.read()).rejects.toThrow('terminated');
    await until('none waits', () => timers() < count / 2);
    server = await mockSseServer([]);
  });

  it('refuses a message that cannot be sent', async () => {
    await expect(mockSseServer([{ type: 'a\nb', data: 1 }])).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
    });
    server = await mockSseServer([]);
    expect(() => server.send({ data: () => {} })).toThrow('has no text form');
  });
});
