import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2ServerResponse,
} from 'node:http2';
import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Header,
  HttpCode,
  Injectable,
  Next,
  NotFoundException,
  Redirect,
  Res,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import fastifyCookie from '@fastify/cookie';
import cookieParser from 'cookie-parser';
import {
  firstValueFrom,
  interval,
  map,
  mergeMap,
  NEVER,
  of,
  take,
  tap,
  timer,
  type OperatorFunction,
} from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve, type Adapter, type ServeOptions } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

interface AnyResponse {
  header(name: string, value: string): unknown;
  cookie?: (name: string, value: string) => unknown;
  setCookie?: (name: string, value: string) => unknown;
}

type Hook = (request: unknown, reply: AnyResponse, payload: unknown) => Promise<unknown>;

interface FastifyInstance {
  register(plugin: unknown, options?: object): Promise<void>;
  addHook(name: string, hook: Hook): void;
}

@Injectable()
class Emits {
  constructor(private readonly hub: Broadcaster) {}
  emit(): void {
    void this.hub.to('room').emit('tick', 0);
  }
}

@Controller()
class Habits {
  constructor(
    private readonly hub: Broadcaster,
    private readonly service: Emits,
  ) {}

  @SseStream('observable')
  observable(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('X-Report', '7');
    return interval(20);
  }

  @SseStream('generator')
  async *generator(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('X-Report', '7');
    for (let n = 0; ; n++) {
      yield n;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  @SseStream('hub')
  hubStream(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('X-Report', '7');
    setImmediate(() => this.service.emit());
    setImmediate(() => this.service.emit());
    return this.hub.stream('room');
  }

  @SseStream('plain')
  plain(@Res() response: AnyResponse) {
    response.header('X-Report', '7');
    return interval(20);
  }

  @SseStream('next')
  next(@Next() _next: () => void, @Res({ passthrough: true }) response: AnyResponse) {
    response.header('X-Report', '7');
    return interval(20);
  }

  @SseStream('header')
  @Header('X-Report', '7')
  @HttpCode(202)
  header() {
    return interval(20);
  }

  @SseStream('charset')
  @Header('Content-Type', 'text/event-stream; charset=utf-8')
  @Header('Cache-Control', 'private')
  charset() {
    return NEVER;
  }

  @SseStream('html', { headers: { 'Cache-Control': 'private' } })
  @Header('Content-Type', 'text/html')
  html() {
    return NEVER;
  }

  @SseStream('redirect')
  @Redirect('/elsewhere')
  redirect() {
    return NEVER;
  }

  @SseStream('cookie')
  cookie(@Res({ passthrough: true }) response: AnyResponse) {
    if (response.setCookie) response.setCookie('sid', 'abc');
    else response.cookie?.('sid', 'abc');
    return NEVER;
  }
}

const module = { providers: [Emits] };

describe.each(ADAPTERS)('the response of a stream on %s', (adapter) => {
  it.each(['observable', 'generator', 'hub', 'plain', 'next', 'header'])(
    'is the stream’s, and has what the handler set (%s)',
    async (path) => {
      const app = await serve(Habits, { adapter, module });
      const stream = app.open(`/${path}`);
      expect((await responded(stream)).headers).toMatchObject({
        'content-type': 'text/event-stream',
        'x-report': '7',
      });
      expect((await responded(stream)).status).toBe(path === 'header' ? 202 : 200);
      await stream.take(2);
    },
  );

  it('takes a charset, and keeps no-transform', async () => {
    const app = await serve(Habits, { adapter, module });
    const { headers } = await responded(app.open('/charset'));
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(headers['cache-control']).toBe('private, no-transform');
  });

  it('is never of another type, and its own headers win', async () => {
    const app = await serve(Habits, { adapter, module });
    const { headers } = await responded(app.open('/html'));
    expect(headers['content-type']).toBe('text/event-stream');
    expect(headers['cache-control']).toBe('private');
  });

  it('redirects as any other route', async () => {
    const app = await serve(Habits, { adapter, module });
    const { status, headers } = await responded(app.open('/redirect'));
    expect([status, headers.location]).toEqual([302, '/elsewhere']);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  it('carries cookies', async () => {
    const setup: ServeOptions['setup'] = (nest) => {
      if (adapter === 'express') {
        nest.use(cookieParser());
        return;
      }
      const instance = nest.getHttpAdapter().getInstance() as FastifyInstance;
      void instance.register(fastifyCookie);
      instance.addHook('onSend', async (_q: unknown, reply: AnyResponse, payload: unknown) => {
        await new Promise((resolve) => setImmediate(resolve));
        reply.header('x-request-id', 'r1');
        return payload;
      });
    };
    const app = await serve(Habits, { adapter, module, setup });
    const stream = app.open('/cookie');
    const { headers } = await responded(stream);
    expect(headers['set-cookie']).toEqual([expect.stringContaining('sid=abc')]);
    // Express has no such hook.
    expect(headers['x-request-id']).toBe(adapter === 'fastify' ? 'r1' : undefined);
    await stream.until(({ text }) => text.includes(': connected'));
  });
});

const wait = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Interceptors of real apps, none of which knows that this route streams. */
const INTERCEPTORS = {
  header: (context: ExecutionContext) =>
    tap(() => {
      context.switchToHttp().getResponse<AnyResponse>().header('X-Response-Time', '3');
    }),
  mapping: () => map((result) => ({ count: (result as unknown[]).length })),
  notFound: () =>
    tap((result) => {
      if (result == null) throw new NotFoundException('nothing here');
    }),
  late: () =>
    mergeMap(async () => {
      for (let turn = 0; turn < 20; turn++) await wait();
      throw new NotFoundException('the audit failed');
    }),
  lateHeader: (context: ExecutionContext) =>
    mergeMap(async () => {
      for (let turn = 0; turn < 20; turn++) await wait();
      context.switchToHttp().getResponse<AnyResponse>().header('X-Late', '1');
    }),
};

/** What is told once is told for each route. */
let apps = 0;

function controllerWith(name: keyof typeof INTERCEPTORS): Type {
  @Injectable()
  class Habit implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler) {
      const operator: OperatorFunction<unknown, unknown> = INTERCEPTORS[name](context);
      return next.handle().pipe(operator);
    }
  }
  @Controller(`app-${++apps}`)
  class Streams {
    @SseStream('quiet')
    @UseInterceptors(Habit)
    quiet() {
      return interval(30).pipe(take(5));
    }
    @SseStream('busy')
    @UseInterceptors(Habit)
    busy() {
      return of('a', 'b');
    }
    @SseStream('open')
    @UseInterceptors(Habit)
    open() {
      return timer(0, 30);
    }
  }
  return Streams;
}

@Catch()
class CatchAll {
  catch(error: { status?: number; message: string }, host: ArgumentsHost): void {
    interface Reply {
      status(code: number): { json?(body: unknown): void; send(body: unknown): void };
    }
    const reply = host.switchToHttp().getResponse<Reply>();
    reply.status(error.status ?? 500).send({ own: error.message });
  }
}

describe.each(
  ADAPTERS.flatMap((adapter) => [
    [adapter, 'the default filter', undefined],
    [adapter, 'a catch-all filter', new CatchAll()],
  ]) as [Adapter, string, CatchAll | undefined][],
)('an interceptor of the app on %s, with %s', (adapter, _title, filter) => {
  const open = async (name: keyof typeof INTERCEPTORS, path: string) => {
    const setup: ServeOptions['setup'] = (nest) => {
      if (filter !== undefined) nest.useGlobalFilters(filter);
    };
    const app = await serve(controllerWith(name), { adapter, setup });
    const route = `/app-${apps}${path}`;
    return { app, stream: app.open(route), route };
  };

  it.each(['/quiet', '/busy', '/open'])(
    'sets a header before the head is written (%s)',
    async (path) => {
      const { stream } = await open('header', path);
      expect((await responded(stream)).headers).toMatchObject({
        'content-type': 'text/event-stream',
        'x-response-time': '3',
      });
      await stream.take(2);
    },
  );

  it.each([
    ['mapping', 500, '/quiet'],
    ['mapping', 500, '/busy'],
    ['notFound', 404, '/quiet'],
    ['notFound', 404, '/open'],
  ] as const)('refuses with its own error (%s, %s, %s)', async (name, status, path) => {
    const { app, stream } = await open(name, path);
    expect((await responded(stream)).status).toBe(status);
    await stream.ended;
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  it('harms no stream that has begun, and is told once with its error', async () => {
    const { app, stream, route } = await open('late', '/open');
    const again = app.open(route);
    await stream.take(5);
    await again.take(5);
    expect(app.nest.get(SseConnections).count).toBe(2);
    const told = app.logged.filter((line) => line.includes('has already begun'));
    const what = `GET ${route} has already begun, so this is ignored: NotFoundException: the audit failed`;
    expect(told).toEqual([expect.stringContaining(what)]);
  });

  it('sets no header late, and is named in the log', async () => {
    const { app, stream } = await open('lateHeader', '/open');
    await stream.take(5);
    const told = app.logged.filter((line) => line.includes('X-Late'));
    expect(told).toEqual([
      expect.stringMatching(/response\.(setH|h)eader\("X-Late"\) \(at .*response\.spec/),
    ]);
  });
});

interface TimedResponse {
  statusCode: number;
  setTimeout(ms: number, then: () => void): void;
  setHeader(name: string, value: string): void;
  end(text: string): void;
}

const https = {
  key: readFileSync(new URL('../support/tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('../support/tls/cert.pem', import.meta.url)),
};

describe.each([
  ['express', { adapter: 'express' }],
  ['fastify', { adapter: 'fastify' }],
  ['HTTP/2', { adapter: 'fastify', http: { https, http2: true } }],
] as [string, ServeOptions][])('a timeout of the server on %s', (_title, options) => {
  @Controller()
  class Quiet {
    @SseStream('quiet')
    quiet() {
      return timer(400, 1_000);
    }
  }

  it('leaves a quiet stream alone', async () => {
    const app = await serve(Quiet, {
      ...options,
      setup: (nest) => void nest.getHttpServer().setTimeout(100),
    });
    expect(await app.open('/quiet').next()).toMatchObject({ data: 0 });
  });

  it('of a middleware leaves it alone', async () => {
    const app = await serve(Quiet, {
      ...options,
      setup: (nest) =>
        void nest.use((_request: unknown, response: TimedResponse, next: () => void) => {
          response.setTimeout(100, () => {
            response.statusCode = 408;
            response.setHeader('X-Timed-Out', '1');
            response.end('timed out');
          });
          next();
        }),
    });
    const stream = app.open('/quiet');
    await stream.next();
    expect((await responded(stream)).status).toBe(200);
  });
});

it('a stream or a session of HTTP/2 that the server cuts is no client that left', async () => {
  const responses: Http2ServerResponse[] = [];
  @Controller()
  class Quiet {
    @SseStream('quiet')
    quiet(@Res() { raw }: { raw: Http2ServerResponse }) {
      responses.push(raw);
      return NEVER;
    }
  }
  const app = await serve(Quiet, { adapter: 'fastify', http: { https, http2: true } });
  const connections = app.nest.get(SseConnections);
  const reasonOf = async (
    cut: (
      response: Http2ServerResponse,
      session: ClientHttp2Session,
      stream: ClientHttp2Stream,
    ) => void,
  ): Promise<string> => {
    const session = connect(app.url, { rejectUnauthorized: false });
    session.on('error', () => {});
    const stream = session.request({ ':path': '/quiet' }).on('error', () => {});
    await once(stream, 'data');
    const closed = firstValueFrom(connections.closed$);
    cut(responses.at(-1)!, session, stream);
    const { reason } = await closed;
    session.destroy();
    return reason;
  };
  expect(await reasonOf((response) => response.stream.destroy())).toBe('server');
  expect(await reasonOf((response) => response.stream.session?.destroy())).toBe('server');
  expect(await reasonOf((response) => response.stream.close())).toBe('server');
  const destroyTwice = ({ stream }: Http2ServerResponse): void => {
    stream.session?.destroy();
    // The session has no socket any more.
    stream.close();
  };
  expect(await reasonOf(destroyTwice)).toBe('server');
  expect(await reasonOf((response) => response.stream.close(8))).toBe('server');
  expect(await reasonOf((_response, session) => session.destroy())).toBe('client');
  expect(await reasonOf((_response, _session, stream) => stream.close(0))).toBe('client');
  expect(await reasonOf((_response, _session, stream) => stream.close(8))).toBe('client');
});

it.each(ADAPTERS)('a socket that the server cuts is no client that left (%s)', async (adapter) => {
  @Controller()
  class Quiet {
    @SseStream('quiet')
    quiet() {
      return NEVER;
    }
  }
  const app = await serve(Quiet, { adapter });
  const connections = app.nest.get(SseConnections);
  const reasons: string[] = [];
  connections.closed$.subscribe(({ reason }) => reasons.push(reason));
  const cut = app.open('/quiet');
  await responded(cut);
  app.nest.getHttpServer().closeAllConnections();
  await cut.closed;
  const sockets: Socket[] = [];
  app.nest.getHttpServer().on('connection', (socket: Socket) => sockets.push(socket));
  const ended = app.open('/quiet');
  await responded(ended);
  sockets.at(-1)!.end();
  await ended.closed;
  const left = app.open('/quiet');
  await left.until(({ text }) => text.includes(': connected'));
  const closed = new Promise((resolve) => connections.closed$.subscribe(resolve));
  left.close();
  await closed;
  expect(reasons).toEqual(['server', 'server', 'client']);
});
