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

  it('refuses a message that cannot be sent', async () => {
    await expect(mockSseServer([{ type: 'a\nb', data: 1 }])).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
    });
    server = await mockSseServer([]);
    expect(() => server.send({ data: () => {} })).toThrow('has no text form');
  });
});
