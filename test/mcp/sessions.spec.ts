import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { All, Body, Controller, Req, Res } from '@nestjs/common';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { Broadcaster, SSE_DEFAULTS } from 'nestjs-eventstream';
import { McpSessions, type McpRequest, type McpSessionsOptions } from 'nestjs-eventstream/mcp';
import { redisEventLog } from 'nestjs-eventstream/redis';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createServer } from '../../sample/18-mcp/server.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { inMemory, openHub } from './hubs.js';
import { until } from '../support/until.js';
import { closeClients, connectClient, count, upTo } from './sample-processes.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeClients();
  for (const close of closing.splice(0).reverse()) await close();
});

interface Host {
  readonly port: number;
  readonly sessions: McpSessions;
}

/** What a process has, without Nest. */
async function host(hub: Hub, options: Partial<McpSessionsOptions> = {}): Promise<Host> {
  const sessions = new McpSessions(hub, { createServer, ...options });
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      void sessions.handle(request, response, text === '' ? undefined : JSON.parse(text));
    });
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  closing.push(async () => {
    await sessions.onModuleDestroy();
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sessions };
}

const ACCEPT = 'application/json, text/event-stream';
const JSON_TYPE = 'application/json';
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1.0.0' },
  },
};
const PING = { jsonrpc: '2.0', id: 1, method: 'ping' };

interface Ask {
  method?: string;
  session?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

function ask(port: number, { method = 'POST', session, body, headers }: Ask): Promise<Response> {
  return fetch(`http://localhost:${port}/mcp`, {
    method,
    headers: {
      accept: ACCEPT,
      'content-type': JSON_TYPE,
      ...(session !== undefined && { 'mcp-session-id': session }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Begins a session as any client does. */
async function begin(port: number, headers: Record<string, string> = {}): Promise<string> {
  const response = await ask(port, { body: INITIALIZE, headers });
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}

describe('MCP sessions', () => {
  it.each(ADAPTERS)('are served by a controller on %s', async (adapter) => {
    @Controller('mcp')
    class OnExpress {
      constructor(private readonly sessions: McpSessions) {}
      @All()
      handle(
        @Req() request: McpRequest,
        @Res() response: http.ServerResponse,
        @Body() body: unknown,
      ) {
        return this.sessions.handle(request, response, body);
      }
    }
    @Controller('mcp')
    class OnFastify {
      constructor(private readonly sessions: McpSessions) {}
      @All()
      handle(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Body() body: unknown) {
        reply.hijack();
        return this.sessions.handle(request.raw, reply.raw, body);
      }
    }
    const useFactory = (broadcaster: Broadcaster) => new McpSessions(broadcaster, { createServer });
    const providers = [{ provide: McpSessions, inject: [Broadcaster], useFactory }];
    const controller = adapter === 'express' ? OnExpress : OnFastify;
    const app = await serve(controller, { adapter, module: { providers } });
    const client = await connectClient(app.port);
    const { text, progress } = await count(client, { to: 20, stepMs: 1 });
    expect([text, progress]).toEqual([`Counted to 20 in process ${process.pid}`, upTo(20)]);
    await client.transport.terminateSession();
    await closeClients();
    await app.close();
    expect(app.logged).toEqual([]);
  });

  it('refuse what is not Streamable HTTP, with a status', async () => {
    const { port } = await host(await openHub(inMemory));
    const session = await begin(port);
    const cases: [number, Ask][] = [
      [405, { method: 'PUT', session }],
      [406, { session, body: PING, headers: { accept: JSON_TYPE } }],
      [406, { method: 'GET', session, headers: { accept: JSON_TYPE } }],
      [415, { session, body: PING, headers: { 'content-type': 'text/plain' } }],
      [400, { session, body: { id: 1 } }],
      [400, { session, body: [] }],
      [400, { session, body: Array.from({ length: 101 }, () => PING) }],
      [400, { session, body: { ...PING, id: null } }],
      [400, { session }],
      [400, { session, body: INITIALIZE }],
      [400, { body: [INITIALIZE, PING] }],
      [400, { body: PING }],
      [400, { method: 'GET' }],
      [400, { method: 'DELETE' }],
      [400, { session, body: PING, headers: { 'mcp-protocol-version': '1999-01-01' } }],
      [400, { method: 'GET', session, headers: { 'last-event-id': 'g~1.a.b' } }],
      [404, { session: 'another', body: PING }],
      [404, { session: '../x'.repeat(100), body: PING }],
      [404, { method: 'GET', session: 'another' }],
      [404, { method: 'DELETE', session: 'another' }],
      [202, { session, body: { jsonrpc: '2.0', method: 'notifications/initialized' } }],
      [200, { session, body: PING, headers: { 'mcp-protocol-version': '2025-06-18' } }],
      [200, { session, body: [PING, { ...PING, id: 'two' }] }],
      [200, { method: 'DELETE', session }],
      [404, { method: 'DELETE', session }],
    ];
    const found: [number, Ask][] = [];
    for (const [, request] of cases) {
      const response = await ask(port, request);
      await response.text();
      found.push([response.status, request]);
    }
    expect(found).toEqual(cases);
  });

  it('answer a batch in one stream', async () => {
    const { port } = await host(await openHub(inMemory));
    const session = await begin(port);
    const body = [PING, { ...PING, id: 'two' }];
    const text = await (await ask(port, { session, body })).text();
    const ids = [...text.matchAll(/"id":("two"|1)/g)].map(([, id]) => id);
    expect(ids).toEqual(['1', '"two"']);
    expect(text).toMatch(/^retry: 2000\ndata: \nid: u[\w-]{22}~1\.[\w.-]+\n\n/);
  });

  it('answer their own user only', async () => {
    const user = ({ headers }: McpRequest) => headers['x-user'] as string | undefined;
    const { port } = await host(await openHub(inMemory), { user });
    const session = await begin(port, { 'x-user': 'ann' });
    const status = async (name?: string) => {
      const headers: Record<string, string> = name === undefined ? {} : { 'x-user': name };
      const response = await ask(port, { session, body: PING, headers });
      await response.text();
      return response.status;
    };
    expect([await status('ann'), await status('ben'), await status()]).toEqual([200, 404, 404]);
  });

  it('give a stream to the connection that opens it last', async () => {
    const { port, sessions } = await host(await openHub(inMemory));
    const session = await begin(port);
    const first = await ask(port, { method: 'GET', session });
    const second = await ask(port, { method: 'GET', session });
    expect(await first.text()).toMatch(/^retry: 2000\ndata: \nid: g~\S+\n\n$/);
    await sessions.notify({ method: 'notifications/tools/list_changed' }, session);
    const reader = second.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('list_changed')) text += (await reader.read()).value ?? '';
    await reader.cancel();
  });

  it('answer with an error where the result is too large for the log', async () => {
    const history = SSE_DEFAULTS.history;
    const limits = { maxEventBytes: 2_000 };
    const hub = new Hub(new MemoryEventLog(history), { history }, '', limits);
    await hub.start();
    closing.push(() => hub.close());
    const large = () => {
      const server = new McpServer({ name: 'test', version: '1.0.0' });
      server.registerTool('large', {}, () => ({
        content: [{ type: 'text', text: 'x'.repeat(2_000) }],
      }));
      return server;
    };
    const { port } = await host(hub, { createServer: large });
    const { client } = await connectClient(port);
    await expect(client.callTool({ name: 'large' })).rejects.toThrow(
      /limits.maxEventBytes is 2000/,
    );
  });

  it('refuse wrong options', async () => {
    const hub = await openHub(inMemory);
    for (const options of [undefined, {}, { createServer: 1 }, { createServer, idleMs: 0 }]) {
      const make = () => new McpSessions(hub, options as McpSessionsOptions);
      expect(make).toThrow(expect.objectContaining({ code: 'SSE_OPTIONS' }));
    }
    expect(() => new McpSessions({} as Hub, { createServer })).toThrow(/broadcaster/);
  });
});

describeRedis('MCP sessions of two processes', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  }, 20_000);
  afterAll(() => redis?.stop());

  it.each(['requests', 'a stream'])(
    'end when nobody has used them for idleMs: %s',
    async (how) => {
      const { port, sessions } = await host(await openHub(inMemory), { idleMs: 1_000 });
      const session = await begin(port);
      const status = async (): Promise<number> => {
        const response = await ask(port, { session, body: PING });
        await response.text();
        return response.status;
      };
      const used = performance.now();
      const statuses = new Set<number>();
      const stream = how === 'requests' ? undefined : await ask(port, { method: 'GET', session });
      // Far longer than `idleMs`.
      while (performance.now() < used + 6_000) {
        if (how === 'requests') statuses.add(await status());
        await new Promise(setImmediate);
      }
      statuses.add(await status());
      expect([...statuses]).toEqual([200]);
      await stream?.body?.cancel();
      const hosts = sessions['hosts'];
      expect(hosts.ids()).toEqual([session]);
      await until('its server has gone', () => hosts.ids().length === 0);
      expect(await status()).toBe(404);
    },
    30_000,
  );

  it('hear of what any process tells', async () => {
    const log = redisEventLog({ url: redis.url });
    const [one, other] = [await host(await openHub(log)), await host(await openHub(log))];
    const { transport } = await connectClient(one.port);
    // Its stream is in the other process than its server.
    const { client } = await connectClient(other.port, transport.sessionId);
    const heard = new Promise<void>((resolve) => {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve());
    });
    const stream = await ask(other.port, { method: 'GET', session: transport.sessionId! });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    const [, id = ''] = /^id: (.+)$/m.exec((await reader.read()).value ?? '') ?? [];
    await reader.cancel();
    await other.sessions.notify({ method: 'notifications/tools/list_changed' });
    await (client.transport as typeof transport).resumeStream(id);
    await expect(heard).resolves.toBeUndefined();
  }, 20_000);

  it('end with the process that has begun them only if it says so', async () => {
    const log = redisEventLog({ url: redis.url });
    const [one, other] = [await host(await openHub(log)), await host(await openHub(log))];
    const session = await begin(one.port);
    await one.sessions.onModuleDestroy();
    const response = await ask(other.port, { session, body: PING });
    expect(await response.text()).toContain('"result":{}');
    await other.sessions.end(session);
    expect((await ask(other.port, { session, body: PING })).status).toBe(404);
  }, 20_000);
});
