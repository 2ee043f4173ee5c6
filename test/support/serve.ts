import { afterEach } from '@jest/globals';
import type { INestApplication, LoggerService, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import type { ModuleMetadata } from '@nestjs/common';
import { SseModule, type SseModuleOptions } from 'nestjs-eventstream';
import { openRawStream, type StreamClient, type StreamRequest } from './stream-client.js';

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
  open(path: string, request?: Omit<StreamRequest, 'url'>): StreamClient;
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
  await nest.listen(0, '127.0.0.1');
  const { port } = nest.getHttpServer().address() as AddressInfo;
  const url = `${http.https ? 'https' : 'http'}://127.0.0.1:${port}`;
  const clients: StreamClient[] = [];
  const app: TestApp = {
    nest,
    url,
    port,
    logged,
    open(path, request) {
      const client = openRawStream({ ...request, url: url + path, http2: http.http2 });
      clients.push(client);
      return client;
    },
    async close() {
      running.delete(app);
      for (const client of clients) client.abort();
      await nest.close();
    },
  };
  running.add(app);
  return app;
}

function recordingLogger(lines: string[]): LoggerService {
  const record = (message: unknown): void => {
    lines.push(
      message instanceof Object && 'message' in message ? String(message.message) : String(message),
    );
  };
  return { log: () => {}, warn: record, error: record, fatal: record };
}
