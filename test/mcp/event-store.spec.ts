import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { hubEventStore } from 'nestjs-eventstream/mcp';
import { redisEventLog } from 'nestjs-eventstream/redis';
import type { Hub } from '../../lib/hub/hub.js';
import type { EventLogFactory } from '../../lib/log/event-log-factory.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { inMemory, openHub } from './hubs.js';

const GET = '_GET_stream';
const note = (n: number): JSONRPCMessage => ({ jsonrpc: '2.0', method: 'n', params: { n } });
const upTo = (to: number, from = 1) => Array.from({ length: to - from + 1 }, (_, n) => n + from);

type Store = ReturnType<typeof hubEventStore>;

async function replay(store: Store, id: string): Promise<{ ids: string[]; numbers: unknown[] }> {
  const [ids, numbers]: [string[], unknown[]] = [[], []];
  await store.replayEventsAfter(id, {
    send: async (eventId, message) => {
      ids.push(eventId);
      numbers.push((message as unknown as { params: { n: number } }).params.n);
    },
  });
  return { ids, numbers };
}

async function fill(store: Store, stream: string, to: number, from = 1): Promise<string[]> {
  return Promise.all(upTo(to, from).map((n) => store.storeEvent(stream, note(n))));
}

function cases(log: () => EventLogFactory): void {
  const open = (maxEvents?: number): Promise<Hub> => openHub(log(), maxEvents);

  it('replays what comes after an id, in order, from any process', async () => {
    const [one, other] = [await open(), await open()];
    const session = randomUUID();
    const stream = randomUUID();
    const store = hubEventStore(one, { session });
    const begin = await store.storeEvent(stream, {} as JSONRPCMessage);
    const ids = await fill(store, stream, 5);
    await fill(store, GET, 3);
    // In memory, one process has the log.
    const elsewhere = hubEventStore(log() === inMemory ? one : other, { session });
    expect(await elsewhere.getStreamIdForEventId(begin)).toBe(stream);
    expect(await replay(elsewhere, begin)).toEqual({ ids, numbers: upTo(5) });
    expect((await replay(elsewhere, ids[2]!)).numbers).toEqual([4, 5]);
    expect((await replay(elsewhere, ids[4]!)).numbers).toEqual([]);
  });

  it("a replay can show only its own session's events", async () => {
    const hub = await open();
    const [mine, theirs] = ['mine', 'theirs'].map((session) => hubEventStore(hub, { session }));
    const stream = randomUUID();
    const [own] = await fill(mine!, stream, 2);
    const foreign = await fill(theirs!, stream, 2);
    const [get] = await fill(theirs!, GET, 2);
    const forged = [
      ...foreign,
      get!,
      // A stream of one's own with a cursor of another session's event, and the reverse.
      `${own!.split('~')[0]}~${foreign[0]!.split('~')[1]}`,
      `g~${own!.split('~')[1]}`,
      `${own}x`,
      `${own}~`,
      `X${own}`,
      own!.replace('u', 's'),
      '',
      '~',
      'u~1.a.b',
    ];
    for (const id of forged) {
      expect([id, await mine!.getStreamIdForEventId(id)]).toEqual([id, undefined]);
      await expect(replay(mine!, id)).rejects.toMatchObject({ code: 'SSE_INVALID_FIELD' });
    }
    expect((await replay(mine!, own!)).numbers).toEqual([2]);
  });

  it('is whole beyond one page of history', async () => {
    const hub = await open(5_000);
    const store = hubEventStore(hub, { session: 's' });
    const [first] = await fill(store, GET, 1);
    for (let n = 2; n <= 3_500; n += 500) await fill(store, GET, n + 499, n);
    expect((await replay(store, first!)).numbers).toEqual(upTo(3_501, 2));
  }, 60_000);

  it('tells what is no longer kept', async () => {
    const hub = await open(10);
    const store = hubEventStore(hub, { session: 's' });
    const [first, second] = await fill(store, GET, 10);
    expect(await store.getStreamIdForEventId(first!)).toBe(GET);
    await fill(store, GET, 11, 11);
    expect(await store.getStreamIdForEventId(first!)).toBeUndefined();
    await expect(replay(store, first!)).rejects.toThrow('no longer kept');
    expect((await replay(store, second!)).numbers).toEqual(upTo(11, 3));
  });

  it('tells what was lost while it read', async () => {
    const hub = await open(1_200);
    const store = hubEventStore(hub, { session: 's' });
    const [first] = await fill(store, GET, 1);
    await fill(store, GET, 1_200, 2);
    // As another process: this one waits with what it sends until the replay is over.
    const other = hubEventStore(hub, { session: 's' });
    let publishing: Promise<unknown> | undefined;
    const send = async (): Promise<void> => {
      await (publishing ??= fill(other, GET, 2_400, 1_201));
    };
    const reading = store.replayEventsAfter(first!, { send });
    await expect(reading).rejects.toThrow('no longer kept');
  }, 60_000);

  it('makes ids that are short, and fit a header and a line', async () => {
    const hub = await open();
    const store = hubEventStore(hub, { session: 's' });
    for (const stream of [GET, randomUUID(), 'ä~ö\n']) {
      const id = await store.storeEvent(stream, note(1));
      expect(id).toMatch(/^[\w.~-]{1,52}$/);
      expect(await store.getStreamIdForEventId(id)).toBe(stream);
    }
  });

  it('loses and repeats nothing that is sent while a client of the SDK resumes', async () => {
    const hub = await open(5_000);
    const session = randomUUID();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => session,
      eventStore: hubEventStore(hub, { session }),
    });
    const server = new McpServer({ name: 's', version: '1' }, { capabilities: { logging: {} } });
    await server.connect(transport);

    let cut = new AbortController();
    const client = new Client({ name: 'c', version: '1' });
    const got: number[] = [];
    client.fallbackNotificationHandler = async ({ params }) => {
      got.push(params?.['data'] as number);
      // Most of them in the middle of a replay.
      if (got.length % 150 === 0) cut.abort();
    };
    const connection = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
      reconnectionOptions: {
        initialReconnectionDelay: 1,
        maxReconnectionDelay: 1,
        reconnectionDelayGrowFactor: 1,
        maxRetries: 1_000,
      },
      fetch: async (url, init) => {
        const response = await transport.handleRequest(new Request(url, init));
        if (init?.method !== 'GET' || response.body === null) return response;
        cut = new AbortController();
        const through = new TransformStream();
        void response.body.pipeTo(through.writable, { signal: cut.signal }).catch(() => {});
        return new Response(through.readable, response);
      },
    });
    await client.connect(connection);
    const total = 3_000;
    for (let data = 1; data <= total; data++) {
      const sending = server.sendLoggingMessage({ level: 'info', data });
      if (data % 7 === 0) await sending;
    }
    while (got.length < total || got.at(-1) !== total) await new Promise(setImmediate);
    expect(got).toEqual(upTo(total));
    await client.close();
    await server.close();
  }, 60_000);
}

describe('a store of MCP events', () => {
  describe('in memory', () => {
    cases(() => inMemory);
  });

  describeRedis('on Redis', () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedis();
    }, 20_000);
    afterAll(() => redis?.stop());

    cases(() =>
      redisEventLog({ url: redis.url, prefix: String(expect.getState().currentTestName) }),
    );
  });

  it('is answered with 400 for an id that is not of the session', async () => {
    const hub = await openHub(inMemory);
    const foreign = await hubEventStore(hub, { session: 'other' }).storeEvent(GET, note(1));
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => 'own',
      eventStore: hubEventStore(hub, { session: 'own' }),
    });
    const server = new McpServer({ name: 's', version: '1' });
    await server.connect(transport);
    const headers = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': 'own',
      'last-event-id': foreign,
    };
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const post = new Request('http://localhost/mcp', { method: 'POST', headers, body });
    expect((await transport.handleRequest(post)).status).toBe(200);
    const resumed = await transport.handleRequest(new Request('http://localhost/mcp', { headers }));
    expect([resumed.status, await resumed.text()]).toEqual([
      400,
      expect.not.stringContaining('"n"'),
    ]);
    await server.close();
  });

  it('refuses wrong options', async () => {
    const hub = await openHub(inMemory);
    const wrong = [undefined, {}, { session: '' }, { session: 's', prefix: '' }, { sesion: 's' }];
    for (const options of wrong) {
      expect(() => hubEventStore(hub, options as { session: string })).toThrow(
        expect.objectContaining({ code: 'SSE_OPTIONS' }),
      );
    }
    expect(() => hubEventStore({} as Hub, { session: 's' })).toThrow(/broadcaster/);
  });
});
