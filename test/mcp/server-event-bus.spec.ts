import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMcpHandler, McpServer, type ServerEventBus } from '@modelcontextprotocol/server';
import { hubServerEventBus } from 'nestjs-eventstream/mcp';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { inMemory, openHub } from './hubs.js';

const META = 'io.modelcontextprotocol';

/** Opens a stream of changes, as a client of the revision 2026-07-28 does. */
function listen(handler: ReturnType<typeof createMcpHandler>): Promise<Response> {
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'subscriptions/listen',
    params: {
      notifications: { toolsListChanged: true, resourceSubscriptions: ['a:b'] },
      _meta: {
        [`${META}/protocolVersion`]: '2026-07-28',
        [`${META}/clientInfo`]: { name: 'test', version: '1.0.0' },
        [`${META}/clientCapabilities`]: {},
      },
    },
  };
  const headers = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'subscriptions/listen',
  };
  const request = { method: 'POST', headers, body: JSON.stringify(body) };
  return handler.fetch(new Request('http://localhost/mcp', request));
}

/** The methods of the notifications in a stream. */
async function* methodsIn(response: Response): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, data] = /^data: (.+)$/m.exec(block) ?? [];
      if (data !== undefined) yield (JSON.parse(data) as { method: string }).method;
    }
  }
}

describeRedis('the bus of two processes', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  }, 20_000);
  afterAll(() => redis?.stop());

  it('tells clients of one process what changes in the other', async () => {
    const log = redisEventLog({ url: redis.url });
    const [one, other] = [await openHub(log), await openHub(log)];
    const handlers = [one, other].map((hub) => {
      // The types fit those of the SDK.
      const bus: ServerEventBus = hubServerEventBus(hub);
      const makeServer = () =>
        new McpServer(
          { name: 'test', version: '1.0.0' },
          { capabilities: { tools: { listChanged: true }, resources: { subscribe: true } } },
        );
      return createMcpHandler(makeServer, { bus });
    });
    const response = await listen(handlers[0]!);
    expect(response.status).toBe(200);
    const methods = methodsIn(response);
    expect((await methods.next()).value).toBe('notifications/subscriptions/acknowledged');
    handlers[1]!.notify.toolsChanged();
    expect((await methods.next()).value).toBe('notifications/tools/list_changed');
    handlers[1]!.notify.resourceUpdated('a:b');
    expect((await methods.next()).value).toBe('notifications/resources/updated');
    await methods.return(undefined);
    await Promise.all(handlers.map((handler) => handler.close()));
    expect(one.rooms()).toEqual([]);
  }, 20_000);
});

describe('the bus', () => {
  it('tells each listener until it leaves, and survives one that throws', async () => {
    const hub = await openHub(inMemory);
    const bus = hubServerEventBus(hub, { prefix: 'p' });
    const heard: string[] = [];
    const leave = bus.subscribe(() => {
      heard.push('first');
      throw new Error('on purpose');
    });
    const told = new Promise<void>((resolve) => {
      bus.subscribe(({ kind }) => {
        heard.push(kind);
        if (kind === 'prompts_list_changed') resolve();
      });
    });
    bus.publish({ kind: 'tools_list_changed' });
    await new Promise(setImmediate);
    leave();
    leave();
    bus.publish({ kind: 'prompts_list_changed' });
    await told;
    expect(heard).toEqual(['first', 'tools_list_changed', 'prompts_list_changed']);
    expect(hub.rooms()).toEqual(['p:changes']);
  });

  // The first event of a stream is then `sse-state`.
  it('tells nothing else, on a hub that has state rooms', async () => {
    const hub = await openHub(inMemory);
    await hub.state<{ a: number }>('other').set('a', 1);
    const bus = hubServerEventBus(hub);
    const first = new Promise((resolve) => bus.subscribe(resolve));
    bus.publish({ kind: 'tools_list_changed' });
    expect(await first).toEqual({ kind: 'tools_list_changed' });
  });

  it('refuses wrong options', async () => {
    const hub = await openHub(inMemory);
    expect(() => hubServerEventBus(hub, { prefx: 'p' } as object)).toThrow(/did you mean prefix/);
  });
});
