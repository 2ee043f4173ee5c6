import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const ROOT = join(import.meta.dirname, '../..');

export interface SampleProcess {
  readonly child: ChildProcess;
  readonly port: number;
}

const running = new Set<ChildProcess>();

/** Sample 18 as `npm start` runs it, from its sources, on a free port. */
export async function startSample(redisUrl: string): Promise<SampleProcess> {
  const loader = ['--import', join(ROOT, 'test/support/typescript.mjs')];
  const child = spawn(process.execPath, [...loader, join(ROOT, 'sample/18-mcp/main.ts')], {
    env: { ...process.env, PORT: '0', REDIS_URL: redisUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const port = await new Promise<number>((resolve, reject) => {
    let output = '';
    const read = (text: string): void => {
      output += text;
      const found = /http:\/\/localhost:(\d+)/.exec(output);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('exit', () => reject(new Error(output)));
  });
  return { child, port };
}

export async function stopSamples(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      return exited;
    }),
  );
}

export interface TestClient {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

const clients = new Set<() => Promise<void>>();

/** The SDK's own client, of a new session or of one that has begun. It never stops trying. */
export async function connectClient(port: number, sessionId?: string): Promise<TestClient> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  let isClosed = false;
  const transport = new StreamableHTTPClientTransport(new URL(`http://localhost:${port}/mcp`), {
    ...(sessionId !== undefined && { sessionId }),
    // After `close()` it would try again as often as it may.
    fetch: (input, init) => (isClosed ? new Promise(() => {}) : fetch(input, init)),
    reconnectionOptions: {
      initialReconnectionDelay: 100,
      maxReconnectionDelay: 1_000,
      reconnectionDelayGrowFactor: 1.5,
      maxRetries: 100,
    },
  });
  await client.connect(transport);
  clients.add(() => {
    isClosed = true;
    return client.close();
  });
  return { client, transport };
}

export async function closeClients(): Promise<void> {
  await Promise.all([...clients].map((close) => close()));
  clients.clear();
}

export interface Counted {
  readonly text: string;
  readonly progress: number[];
}

/** Calls the tool of the sample; `onProgress` sees each step that arrives. */
export async function count(
  { client }: TestClient,
  { to, stepMs }: { to: number; stepMs: number },
  onProgress: (step: number) => void = () => {},
): Promise<Counted> {
  const progress: number[] = [];
  const result = await client.callTool({ name: 'count', arguments: { to, stepMs } }, undefined, {
    onprogress: (report) => {
      progress.push(report.progress);
      onProgress(report.progress);
    },
    resetTimeoutOnProgress: true,
  });
  const [first] = result.content as { text: string }[];
  return { text: first?.text ?? '', progress };
}

export const upTo = (to: number): number[] => Array.from({ length: to }, (_none, n) => n + 1);
