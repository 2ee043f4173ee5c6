import { afterEach, jest } from '@jest/globals';
import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as testing from 'nestjs-eventstream/testing';

/** Samples take their time, and the machine may have other things to do. */
const TIMEOUT_MS = 20_000;
jest.setTimeout(2 * TIMEOUT_MS);

const running: INestApplication[] = [];

afterEach(async () => {
  jest.useRealTimers();
  await Promise.all(running.splice(0).map((app) => app.close()));
});

/** Sockets stay real; the clocks of this process stand still until the test moves them. */
export function stopClocks(): void {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A sample on a real port; it closes itself after the test. */
export async function runSample(module: Type): Promise<INestApplication> {
  const app = await NestFactory.create(module, { logger: ['warn', 'error'] });
  running.push(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

export async function post(app: INestApplication, path: string, body?: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', ...(body && { headers, body: JSON.stringify(body) }) };
  const response = await fetch(new URL(path, await app.getUrl()), init);
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

export function openStream(
  app: INestApplication,
  path: string,
  options?: testing.OpenStreamOptions,
): Promise<testing.TestStream> {
  return testing.openStream(app, path, { timeoutMs: TIMEOUT_MS, ...options });
}
