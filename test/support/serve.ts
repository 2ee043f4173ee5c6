import { afterEach } from '@jest/globals';
import type { INestApplication, LoggerService, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { ModuleMetadata } from '@nestjs/common';
import { SseModule, type SseModuleOptions } from 'nestjs-eventstream';
import { streamClient, type StreamRequest, type TestStream } from './stream-client.js';

/** Both platforms that Nest has: each e2e table runs over them. */
export const ADAPTERS = ['express', 'fastify'] as const;
export type Adapter = (typeof ADAPTERS)[number];

export interface ServeOptions {
  adapter?: Adapter;
  sse?: SseModuleOptions;
  /** Options of the platform, such as `https`. */
  http?: {
    https?: { key: Buffer; cert: Buffer };
    http2?: true;
    forceCloseConnections?: boolean;
  };
  /** Further module metadata. */
  module?: ModuleMetadata;
  /** Before the application is made. */
  override?: (builder: TestingModuleBuilder) => void;
  /** Before it listens. */
  setup?: (app: INestApplication) => void;
}

export interface TestApp {
  readonly nest: INestApplication;
  readonly url: string;
  readonly port: number;
  /** What the app logged as an error or a warning. */
  readonly logged: string[];
  open(path: string, request?: Omit<StreamRequest, 'url'>): TestStream;
  close(): Promise<void>;
}

const running = new Set<TestApp>();

afterEach(async () => {
  await Promise.all([...running].map((app) => app.close()));
});

/** An application on a real port; it closes itself after the test. */
export async function serve(
  controller: Type | Type[],
  { adapter = 'express', sse, http = {}, module = {}, override, setup }: ServeOptions = {},
): Promise<TestApp> {
  const logged: string[] = [];
  const builder = Test.createTestingModule({
    ...module,
    imports: [SseModule.forRoot(sse), ...(module.imports ?? [])],
    controllers: [controller].flat(),
  });
  override?.(builder);
  const compiled = await builder.compile();
  const { forceCloseConnections = false } = http;
  const options = { logger: recordingLogger(logged), forceCloseConnections };
  const nest =
    adapter === 'fastify'
      ? compiled.createNestApplication(new FastifyAdapter(http as object), options)
      : compiled.createNestApplication(new ExpressAdapter(), {
          ...options,
          ...(http.https ? { httpsOptions: http.https } : {}),
        });
  setup?.(nest);
  const sockets = openSockets(nest.getHttpServer() as Server);
  await nest.listen(0, '127.0.0.1');
  const { port } = nest.getHttpServer().address() as AddressInfo;
  const url = `${http.https ? 'https' : 'http'}://127.0.0.1:${port}`;
  const clients: TestStream[] = [];
  const app: TestApp = {
    nest,
    url,
    port,
    logged,
    open(path, request) {
      const client = streamClient({ ...request, url: url + path, http2: http.http2 });
      clients.push(client);
      return client;
    },
    async close() {
      running.delete(app);
      for (const client of clients) client.close();
      await sockets.closing(nest.close());
    },
  };
  running.add(app);
  return app;
}

/** What keeps a server from closing. */
function openSockets(server: Server) {
  const open = new Set<Socket>();
  const encrypted = new Set<Socket>();
  const track = (sockets: Set<Socket>) => (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  server.on('connection', track(open));
  server.on('secureConnection', track(encrypted));
  return {
    /** A close that hangs names the sockets it waits for, before the hook runs out of time. */
    async closing(closed: Promise<void>): Promise<void> {
      // Browsers keep spare ones, which no server counts as idle.
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
      const names = (sockets: Set<Socket>) =>
        [...sockets].map(
          (each) => `${each.remotePort}: ${each.bytesRead} B read, ${each.readyState}`,
        );
      let timer: NodeJS.Timeout;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          const lines = ['sockets:', ...names(open), 'encrypted:', ...names(encrypted)];
          for (const socket of open) socket.destroy();
          reject(new Error(`the app has not closed within 20 s; ${lines.join('\n')}`));
        }, 20_000);
      });
      await Promise.race([closed, late]).finally(() => clearTimeout(timer));
    },
  };
}

function recordingLogger(lines: string[]): LoggerService {
  const record = (message: unknown): void => {
    lines.push(
      message instanceof Object && 'message' in message ? String(message.message) : String(message),
    );
  };
  return { log: () => {}, warn: record, error: record, fatal: record };
}
