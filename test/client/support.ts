import { afterEach } from '@jest/globals';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type ConnectOptions, type EventStream } from 'nestjs-eventstream/client';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A stream that is closed after the test. */
export function open<Events extends object = Record<string, unknown>>(
  url: string,
  options: ConnectOptions = {},
): EventStream<Events> {
  const stream = connect<Events>(url, { maxBackoffMs: 50, ...options });
  cleanUps.push(() => stream.close());
  return stream;
}

export interface Answered {
  readonly url: string;
  /** The requests so far. */
  readonly requests: IncomingMessage[];
}

/** A server of any bytes: the n-th answer to the n-th request, the last one to all that follow. */
export async function answer(
  ...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]
): Promise<Answered> {
  const requests: IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    requests.push(request);
    answers[Math.min(requests.length, answers.length) - 1]?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

/** An answer: a stream with this text, which stays open. */
export const streamOf =
  (text: string) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(text);
  };

/** An answer: a stream with this text, which ends. */
export const endOf =
  (text: string) =>
  (response: ServerResponse): void => {
    streamOf(text)(response);
    response.end();
  };

export const status =
  (code: number, headers: Record<string, string> = {}, body = '') =>
  (response: ServerResponse): void =>
    void response.writeHead(code, headers).end(body);

/** All events of the stream, in order. */
export function collect<Events extends object>(stream: EventStream<Events>) {
  const got: { type: string; data: unknown; id: string | undefined }[] = [];
  stream.subscribe((event) => got.push(event));
  return got;
}
