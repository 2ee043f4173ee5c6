// What a stream lets go of when it has begun, and what stays readable.
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  Param,
  Query,
  Res,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { finalize, firstValueFrom, type Observable } from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

/** Of a request, as both platforms have it. */
interface AnyRequest {
  readonly headers: Record<string, string>;
  readonly method: string;
  readonly url: string;
  readonly originalUrl: string;
  readonly query: Record<string, string>;
  readonly params: Record<string, string>;
  readonly ip: string;
  user?: { name: string };
  wasKnown?: boolean;
  next?: () => void;
}

/** The replies of Fastify that handlers got. */
const replies: PromiseLike<void>[] = [];

interface AnyResponse {
  header(name: string, value: string | string[]): unknown;
}

interface FastifyInstance {
  addHook(
    name: string,
    hook: (request: unknown, reply: unknown, payload: unknown) => Promise<unknown>,
  ): void;
}

@Injectable()
class SetsUser implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AnyRequest>();
    request.wasKnown = 'user' in request;
    request.user = { name: String(request.headers['x-name']) };
    return true;
  }
}

/** What the handler's `finalize()` read. */
const atTheEnd: unknown[] = [];

@Controller('shops')
class Shops {
  constructor(
    private readonly hub: Broadcaster,
    private readonly connections: SseConnections,
  ) {}

  @UseGuards(SetsUser)
  @SseStream(':shop/orders')
  orders(@Param('shop') shop: string, @Query('tag') tag: string): Observable<unknown> {
    const request = () => this.connections.list()[0]?.request as unknown as AnyRequest;
    let kept: AnyRequest;
    this.connections.opened$.subscribe(() => (kept = request()));
    return this.hub.stream(`${shop} ${tag}`).pipe(finalize(() => atTheEnd.push(facts(kept))));
  }

  @SseStream('headers')
  headers(
    @Res({ passthrough: true }) response: AnyResponse,
    @Query('tenant') tenant: string,
    @Query('cookie') cookie?: string,
  ): Observable<unknown> {
    replies.push(response as unknown as PromiseLike<void>);
    response.header('X-Tenant', tenant);
    if (cookie !== undefined) response.header('Set-Cookie', [`a=${cookie}`, 'b=2']);
    return this.hub.stream('room');
  }
}

const facts = ({ headers, method, url, query, params, ip, user, wasKnown }: AnyRequest) => ({
  name: headers['x-name'],
  method,
  url,
  query: { ...query },
  params: { ...params },
  ip,
  user,
  wasKnown,
});

const EXPECTED = {
  name: 'Ann',
  method: 'GET',
  url: '/shops/7/orders?tag=new',
  query: { tag: 'new' },
  params: { shop: '7' },
  ip: '127.0.0.1',
  user: { name: 'Ann' },
  wasKnown: false,
};

/** The requests of the server and their responses, as Node made them. */
function exchangesOf(app: TestApp): [IncomingMessage, ServerResponse][] {
  const exchanges: [IncomingMessage, ServerResponse][] = [];
  const server = app.nest.getHttpServer() as Server;
  server.on('request', (request: IncomingMessage, response: ServerResponse) =>
    exchanges.push([request, response]),
  );
  return exchanges;
}

async function openOne(app: TestApp, path: string, headers: Record<string, string> = {}) {
  const stream = app.open(path, { headers });
  await stream.until(({ text }) => text.includes('id: '));
  return stream;
}

describe.each(ADAPTERS)('an idle connection on %s', (adapter: Adapter) => {
  it('keeps the request readable, until after its end', async () => {
    const app = await serve(Shops, { adapter });
    const connections = app.nest.get(SseConnections);
    const stream = await openOne(app, EXPECTED.url, { 'x-name': 'Ann' });
    const [open] = connections.list();
    expect(facts(open?.request as unknown as AnyRequest)).toEqual(EXPECTED);
    const closing = firstValueFrom(connections.closed$);
    stream.close();
    const { connection } = await closing;
    expect(facts(connection.request as unknown as AnyRequest)).toEqual(EXPECTED);
    expect(atTheEnd.splice(0)).toEqual([EXPECTED]);
  });

  it('keeps the headers of its own response readable', async () => {
    const app = await serve(Shops, { adapter });
    const exchanges = exchangesOf(app);
    for (const tenant of ['a', 'a', 'b']) await openOne(app, `/shops/headers?tenant=${tenant}`);
    const sent = exchanges.map(([, response]) => response.getHeaders());
    expect(sent.map((headers) => headers['x-tenant'])).toEqual(['a', 'a', 'b']);
    for (const headers of sent)
      expect(headers).toMatchObject({ 'content-type': 'text/event-stream' });
    const names = exchanges[0]?.[1].getHeaderNames();
    expect(names).toEqual(expect.arrayContaining(['x-tenant', 'cache-control']));
    expect(exchanges.map(([, response]) => response.headersSent)).toEqual([true, true, true]);
  });

  it('shares no list of a header with another response', async () => {
    const app = await serve(Shops, { adapter });
    const exchanges = exchangesOf(app);
    for (const cookie of ['1', '1']) await openOne(app, `/shops/headers?tenant=a&cookie=${cookie}`);
    const [one, other] = exchanges.map(([, response]) => response.getHeader('set-cookie'));
    expect(one).toEqual(['a=1', 'b=2']);
    expect(other).toEqual(one);
    expect(other).not.toBe(one);
  });

  it('shares the text and the table of equal heads', async () => {
    const app = await serve(Shops, { adapter });
    const exchanges = exchangesOf(app);
    for (const tenant of ['a', 'a', 'b']) await openOne(app, `/shops/headers?tenant=${tenant}`);
    const tables = exchanges.map(([, response]) => {
      const key = Object.getOwnPropertySymbols(response).find(
        ({ description }) => description === 'kOutHeaders',
      );
      return (response as unknown as Record<symbol, unknown>)[key ?? Symbol('none')];
    });
    expect(tables[0]).toHaveProperty('x-tenant');
    expect(tables[1]).toBe(tables[0]);
    expect(tables[2]).not.toBe(tables[0]);
  });
});

describe('on Fastify', () => {
  it('nothing but the stream waits for the end of the response', async () => {
    const app = await serve(Shops, { adapter: 'fastify' });
    const exchanges = exchangesOf(app);
    replies.length = 0;
    await openOne(app, '/shops/headers?tenant=a');
    const [, response] = exchanges[0] ?? [];
    // The listeners of `reply.then()` and of Fastify's pipe would be here.
    expect(response?.listenerCount('end')).toBe(0);
    expect(response?.listenerCount('close')).toBe(1);
    await replies[0];
    expect(response?.writableEnded).toBe(false);
  });

  it('whoever awaits a reply is told when the client leaves while a hook runs', async () => {
    const hook = new EventEmitter();
    const app = await serve(Shops, {
      adapter: 'fastify',
      setup(nest) {
        const fastify = nest.getHttpAdapter().getInstance() as FastifyInstance;
        fastify.addHook('onSend', async (_request, _reply, payload) => {
          hook.emit('running');
          await once(hook, 'over');
          return payload;
        });
      },
    });
    replies.length = 0;
    const running = once(hook, 'running');
    const stream = app.open('/shops/headers?tenant=a');
    await running;
    const settled = Promise.resolve(replies[0]);
    stream.close();
    await settled;
    expect(app.nest.get(SseConnections).count).toBe(0);
    hook.emit('over');
  });

  it('whoever awaits a reply is told when a hook fails', async () => {
    const app = await serve(Shops, {
      adapter: 'fastify',
      setup(nest) {
        const fastify = nest.getHttpAdapter().getInstance() as FastifyInstance;
        fastify.addHook('onSend', (_request, _reply, payload) => {
          if (typeof payload === 'string') return Promise.resolve(payload);
          return Promise.reject(new Error('the hook failed'));
        });
      },
    });
    replies.length = 0;
    const answer = await responded(app.open('/shops/headers?tenant=a'));
    expect(answer.status).toBe(500);
    await replies[0];
  });
});

describe('on Express', () => {
  it('a request has all properties that Express sets before Express sees it', async () => {
    const app = await serve(Shops, { adapter: 'express' });
    const early: [Set<string | symbol>, Set<string | symbol>][] = [];
    const exchanges: [IncomingMessage, ServerResponse][] = [];
    const server = app.nest.getHttpServer() as Server;
    const [shape] = server.listeners('request') as ((...exchange: unknown[]) => void)[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      shape?.(request, response);
      early.push([new Set(Reflect.ownKeys(request)), new Set(Reflect.ownKeys(response))]);
      exchanges.push([request, response]);
      const handle = app.nest.getHttpAdapter().getInstance() as (...all: unknown[]) => void;
      handle(request, response);
    });
    // The first shows which symbols the router uses.
    for (const tenant of ['a', 'b']) await openOne(app, `/shops/headers?tenant=${tenant}`);
    const [request, response] = exchanges[1] ?? [];
    const added = (object: object | undefined, known?: Set<string | symbol>) =>
      Reflect.ownKeys(object ?? {}).filter((key) => known?.has(key) !== true);
    expect(added(request, early[1]?.[0])).toEqual([]);
    expect(added(response, early[1]?.[1])).toEqual([]);
  });

  it('other routes see the values that Express sets', async () => {
    const app = await serve(Shops, { adapter: 'express' });
    const answer = await responded(app.open('/nowhere?a=1'));
    expect(answer.status).toBe(404);
    expect(answer.text).toContain('Cannot GET /nowhere');
  });

  it('a call of next() after the stream has begun is ignored and told', async () => {
    const app = await serve(Shops, { adapter: 'express' });
    const stream = await openOne(app, '/shops/headers?tenant=a');
    const [connection] = app.nest.get(SseConnections).list();
    const request = connection?.request as AnyRequest | undefined;
    request?.next?.();
    await app.nest.get(Broadcaster).to('room').emit('tick', 1);
    expect(await stream.next('tick')).toMatchObject({ data: 1 });
    expect(app.logged.join('\n')).toMatch(/next\(\)/);
  });
});
