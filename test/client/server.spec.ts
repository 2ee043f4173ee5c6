// A client of this library at a server of this library.
import { describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Injectable,
  RequestMethod,
  ServiceUnavailableException,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { firstValueFrom, from, NEVER, of, take, throwError, concat, toArray } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { ADAPTERS, serve, type ServeOptions } from '../support/serve.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { collect, open } from './support.js';
import { Registry } from '../../lib/connection/registry.js';

/** The token that the guard lets in. */
let validToken = '';
const tokensSeen: unknown[] = [];

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
    tokensSeen.push(headers.authorization);
    if (headers.authorization === `Bearer ${validToken}`) return true;
    throw new UnauthorizedException('the token is not valid');
  }
}

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('main') main() {
    return this.hub.stream('main');
  }
  @SseStream('guarded') @UseGuards(TokenGuard) guarded() {
    return this.hub.stream('main');
  }
  @SseStream('search', { method: RequestMethod.POST }) search(
    @Body() { rooms }: { rooms: string[] },
  ) {
    return this.hub.stream(rooms);
  }
  @SseStream('job', { onComplete: 'close' }) job() {
    return of(...[1, 2, 3].map((n) => ({ type: 'progress', data: n })));
  }
  @SseStream('failing') failing() {
    return concat(
      of('one'),
      throwError(() => new ServiceUnavailableException('not now')),
    );
  }
  @SseStream('refusing') refusing() {
    return concat(
      of('one'),
      throwError(() => new UnauthorizedException('no longer')),
    );
  }
  @SseStream('quiet', { keepAlive: { intervalMs: 20 } }) quiet() {
    return NEVER;
  }
}

interface Events {
  n: number;
}

async function start(options: ServeOptions = {}) {
  const app = await serve(Streams, { ...options, sse: { retry: 20, ...options.sse } });
  const hub = app.nest.get(Broadcaster);
  const connections = app.nest.get(Registry);
  const emit = (n: number): Promise<string> => hub.to('main').emit('n', n);
  const isOpen = (): Promise<void> => until('a connection', () => connections.count === 1);
  return { app, hub, connections, emit, isOpen, url: `${app.url}/main` };
}

const numbers = (events: readonly { data: unknown }[]): unknown[] => events.map(({ data }) => data);
const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

describe.each(ADAPTERS)('a client of a server on %s', (adapter) => {
  // feature: 44, 94
  it('gets each event once and in order while its sockets are cut and its streams are ended', async () => {
    const { url, emit, connections } = await start({ adapter });
    const stream = open<Events>(url);
    const gaps: unknown[] = [];
    stream.on('sse-gap', ({ data }) => gaps.push(data));
    const got = collect(stream);
    // From here on it has a cursor.
    await until('it is open', () => stream.state === 'open');
    for (const n of range(60)) {
      await emit(n);
      // Before the client has read it, after, and while it is away.
      if (n % 10 === 3) connections.list()[0]?.destroy('client');
      if (n % 10 === 6) await until('it has come', () => got.length === n + 1);
      if (n % 10 === 7) connections.closeAll();
    }
    await until('all have come', () => got.length >= 60);
    expect(numbers(got)).toEqual(range(60));
    expect(gaps).toEqual([]);
  });

  it('in a loop that is slower than the server and cut gets each event once', async () => {
    const { url, emit, connections, isOpen } = await start({ adapter });
    const stream = open<Events>(url);
    await isOpen();
    await Promise.all(range(50).map(emit));
    const got: unknown[] = [];
    for await (const event of stream) {
      got.push(event.data);
      if (event.data === 5 || event.data === 20) connections.list()[0]?.destroy('client');
      if (got.length === 50) break;
    }
    expect(got).toEqual(range(50));
    expect(stream.state).toBe('closed');
    await until('the server sees it', () => connections.count === 0);
  });

  // feature: 94
  it('is told of the gap after a restart, and goes on', async () => {
    const before = await start({ adapter });
    const proxy = await startProxy(before.app.port);
    const stream = open<Events>(`http://127.0.0.1:${proxy.port}/main`);
    const got = collect(stream);
    await before.isOpen();
    await before.emit(1);
    await until('the first event', () => got.length === 1);
    await before.app.close();
    const after = await start({ adapter });
    proxy.target = after.app.port;
    await after.isOpen();
    await after.emit(2);
    await until('the rest', () => got.length === 3);
    expect(got).toMatchObject([
      { type: 'n', data: 1 },
      { type: 'sse-gap', data: { rooms: ['main'], reason: 'epoch' }, id: undefined },
      { type: 'n', data: 2 },
    ]);
    stream.close();
    await proxy.close();
  });

  it('asks for a token with each attempt, until the guard refuses it', async () => {
    const { app, connections, emit, isOpen } = await start({ adapter });
    tokensSeen.length = 0;
    validToken = 'first';
    let token = 'first';
    const stream = open<Events>(`${app.url}/guarded`, {
      headers: async () => ({ authorization: `Bearer ${token}` }),
    });
    const got = collect(stream);
    await isOpen();
    token = validToken = 'second';
    connections.closeAll();
    await until('it is back', () => tokensSeen.length === 2);
    await emit(1);
    await until('the event', () => got.length === 1);
    validToken = 'third';
    connections.closeAll();
    expect(await stream.closed).toMatchObject({
      reason: 'error',
      error: { code: 'SSE_STATUS', status: 401, message: expect.stringContaining('not valid') },
    });
    expect(tokensSeen).toEqual(['Bearer first', 'Bearer second', 'Bearer second']);
  });

  it('posts its body with each attempt', async () => {
    const { app, hub, connections, isOpen } = await start({ adapter });
    const stream = open(`${app.url}/search`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ rooms: ['a', 'b'] }),
    });
    const got = collect(stream);
    await isOpen();
    await hub.to('a').emit('n', 1);
    await until('the first', () => got.length === 1);
    connections.closeAll();
    await hub.to('b').emit('n', 2);
    await hub.to('c').emit('n', 3);
    await hub.to('a').emit('n', 4);
    await until('the rest', () => got.length === 3);
    expect(numbers(got)).toEqual([1, 2, 4]);
  });

  // feature: 25
  it('does not come back to a stream that is complete', async () => {
    const { app, connections } = await start({ adapter });
    let opened = 0;
    connections.opened$.subscribe(() => opened++);
    const stream = open<{ progress: number }>(`${app.url}/job`);
    const events = await firstValueFrom(from(stream).pipe(toArray()));
    expect(numbers(events)).toEqual([1, 2, 3, { reason: 'complete' }]);
    expect(await stream.closed).toEqual({ reason: 'server' });
    expect(opened).toBe(1);
  });

  it('is told of a late error, and comes back', async () => {
    const { app } = await start({ adapter });
    const stream = open(`${app.url}/failing`);
    const errors: StreamEvent<object, 'sse-error'>['data'][] = [];
    stream.on('sse-error', ({ data }) => errors.push(data));
    await until('two attempts', () => errors.length === 2);
    expect(errors[0]).toMatchObject({ statusCode: 503, message: 'not now' });
  });

  it('is told of a late error that is final, and stays away', async () => {
    const { app } = await start({ adapter });
    const stream = open(`${app.url}/refusing`);
    const errors: StreamEvent<object, 'sse-error'>['data'][] = [];
    stream.on('sse-error', ({ data }) => errors.push(data));
    expect(await stream.closed).toMatchObject({ reason: 'server' });
    expect(errors).toMatchObject([{ statusCode: 401, message: 'no longer' }]);
  });

  it('stays at a quiet server that sends keep-alives', async () => {
    const { app, connections } = await start({ adapter });
    const stream = open(`${app.url}/quiet`, { stallTimeoutMs: 400 });
    const states: string[] = [];
    stream.onState((state) => states.push(state));
    stream.on('message', () => {});
    await until('it is open', () => stream.state === 'open');
    const connection = connections.list()[0];
    const openedAt = connection?.openedAt ?? 0;
    await until('the time of a stall is over', () => Date.now() - openedAt > 800);
    expect(connection?.state).toBe('open');
    expect(states).toEqual(['connecting', 'open']);
  });
});

// feature: 94
it('a connection that nobody ends is given up after three keep-alives of its server', async () => {
  const { app, emit, isOpen } = await start({ sse: { keepAlive: { intervalMs: 400 } } });
  const proxy = await startProxy(app.port);
  const stream = open<Events>(`http://127.0.0.1:${proxy.port}/main`);
  const got = collect(stream);
  const errors: string[] = [];
  stream.onState((_state, error) => error && errors.push(error.message));
  await isOpen();
  await emit(1);
  await until('the first event', () => got.length === 1);
  proxy.connectionsWhere(() => true).blackHole();
  await emit(2);
  await until('the event that was in the black hole', () => got.length === 2);
  expect(numbers(got)).toEqual([1, 2]);
  expect(errors).toEqual(['received nothing for 1200 ms, not even a keep-alive']);
  stream.close();
  await proxy.close();
});

// feature: 93, 96
it('the cursor of a page that was rendered before it connects is where a client begins', async () => {
  const { url, emit, hub } = await start();
  await emit(1);
  const lastEventId = await hub.position();
  await emit(2);
  const stream = open<Events>(url, { lastEventId });
  expect(await firstValueFrom(from(stream).pipe(take(1)))).toMatchObject({ data: 2 });
});
