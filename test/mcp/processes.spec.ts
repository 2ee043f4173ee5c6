// Sample 18 in two processes on one Redis, and the client of the MCP SDK.
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import {
  closeClients,
  connectClient,
  count,
  startSample,
  stopSamples,
  upTo,
  type SampleProcess,
} from './sample-processes.js';

describeRedis('MCP sessions of two processes', () => {
  let redis: RedisServer;
  let first: SampleProcess;
  let second: SampleProcess;
  let proxy: TcpProxy;

  beforeAll(async () => {
    redis = await startRedis();
    [first, second] = await Promise.all([startSample(redis.url), startSample(redis.url)]);
  }, 60_000);

  // One for each test: `fetch` keeps connections of a port, which would lead to the process before.
  beforeEach(async () => {
    proxy = await startProxy(first.port);
  });

  afterEach(async () => {
    await closeClients();
    await proxy.close();
  });

  afterAll(async () => {
    await stopSamples();
    await redis?.stop();
  }, 30_000);

  it('resume a long call in the other process: each report once, and the result', async () => {
    const client = await connectClient(proxy.port);
    const ports = [second.port, first.port, second.port];
    // While it runs: the client is away for two seconds each time.
    const cuts = [40, 200, 380];
    const { text, progress } = await count(client, { to: 400, stepMs: 20 }, (step) => {
      if (cuts[0] === undefined || step < cuts[0]) return;
      cuts.shift();
      proxy.target = ports.shift()!;
      proxy.cut();
    });
    expect(cuts).toEqual([]);
    expect(progress).toEqual(upTo(400));
    expect(text).toBe(`Counted to 400 in process ${first.child.pid}`);
  }, 60_000);

  it('get requests in one process, and answer them from the other', async () => {
    const { transport } = await connectClient(first.port);
    const client = await connectClient(second.port, transport.sessionId);
    const { text, progress } = await count(client, { to: 30, stepMs: 1 });
    expect(progress).toEqual(upTo(30));
    expect(text).toBe(`Counted to 30 in process ${first.child.pid}`);
  }, 30_000);

  it('are cancelled from the other process', async () => {
    const client = await connectClient(proxy.port);
    const abort = new AbortController();
    const call = client.client.callTool(
      { name: 'count', arguments: { to: 1_000, stepMs: 100 } },
      undefined,
      {
        signal: abort.signal,
        onprogress: () => {
          proxy.target = second.port;
          abort.abort('enough');
        },
      },
    );
    await expect(call).rejects.toThrow('enough');
    await expect(count(client, { to: 1, stepMs: 0 })).resolves.toMatchObject({ progress: [1] });
  }, 30_000);

  it('end in all processes', async () => {
    const { transport } = await connectClient(proxy.port);
    const { sessionId = '' } = transport;
    const ask = async (port: number): Promise<number> => {
      const headers = {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-session-id': sessionId,
      };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 'p', method: 'ping' });
      const url = `http://localhost:${port}/mcp`;
      const response = await fetch(url, { method: 'POST', headers, body });
      await response.text();
      return response.status;
    };
    expect([await ask(first.port), await ask(second.port)]).toEqual([200, 200]);
    proxy.target = second.port;
    await transport.terminateSession();
    expect(await ask(second.port)).toBe(404);
    // The first has its server until it hears of the end.
    while ((await ask(first.port)) !== 404);
  }, 30_000);

  it('go on in the other process if theirs is killed, and tell what was lost', async () => {
    const third = await startSample(redis.url);
    proxy.target = third.port;
    const client = await connectClient(proxy.port);
    const exited = once(third.child, 'exit');
    const call = count(client, { to: 1_000, stepMs: 50 }, (step) => {
      if (step !== 10) return;
      proxy.target = second.port;
      third.child.kill('SIGKILL');
    });
    await exited;
    await expect(call).rejects.toThrow('The process that worked on this request has ended');
    const { text } = await count(client, { to: 3, stepMs: 1 });
    expect(text).toBe(`Counted to 3 in process ${second.child.pid}`);
  }, 90_000);

  it('go on at once if theirs is shut down', async () => {
    const third = await startSample(redis.url);
    proxy.target = third.port;
    const client = await connectClient(proxy.port);
    proxy.target = second.port;
    const exited = once(third.child, 'exit');
    third.child.kill('SIGTERM');
    await exited;
    const { text } = await count(client, { to: 3, stepMs: 1 });
    expect(text).toBe(`Counted to 3 in process ${second.child.pid}`);
  }, 60_000);
});
