// What Nest apps do on their routes: each habit is tried on `@SseStream()` and on `@Sse()`, in the
// same app.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  ClassSerializerInterceptor,
  ForbiddenException,
  Header,
  HttpCode,
  Injectable,
  NotFoundException,
  Redirect,
  RequestTimeoutException,
  Res,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
  Next,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import { Exclude } from 'class-transformer';
import compression from 'compression';
import cookieParser from 'cookie-parser';
import session from 'express-session';
import helmet from 'helmet';
import { catchError, finalize, map, mergeMap, tap, throwError, timeout } from 'rxjs';
import type { Adapter, ServeOptions } from '../support/serve.js';

/** What came of a request. */
export interface Outcome {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The data of its first events, two at most. */
  readonly data: readonly string[];
}

export interface AnyResponse {
  header(name: string, value: string): unknown;
  cookie?: (name: string, value: string) => unknown;
  setCookie?: (name: string, value: string) => unknown;
}

interface AnyRequest {
  session?: { user?: string; save?: () => void };
}

export interface Habit {
  readonly name: string;
  readonly adapters?: readonly Adapter[];
  readonly module?: ServeOptions['module'];
  readonly setup?: (app: INestApplication, adapter: Adapter) => void;
  /** Decorators of the method, and of its parameter for the response. */
  readonly decorators?: readonly MethodDecorator[];
  readonly response?: ParameterDecorator;
  /** What the handler does before it returns its source. */
  readonly handler?: (response: AnyResponse, request: AnyRequest) => void;
  /** What an event has as data: its number, or this. */
  readonly data?: (n: number) => unknown;
  /** Between events. Milliseconds. */
  readonly everyMs?: number;
  readonly works: (outcome: Outcome) => boolean;
}

const passthrough = Res({ passthrough: true });

const has =
  (name: string, value: unknown = '7') =>
  ({ status, headers, data }: Outcome): boolean =>
    status === 200 && String(headers[name]).startsWith(String(value)) && data.length === 2;
const streams = ({ status, data }: Outcome): boolean => status === 200 && data.length === 2;
const isRefused =
  (status: number) =>
  (outcome: Outcome): boolean =>
    outcome.status === status && outcome.data.length === 0;

type Step = (context: ExecutionContext, next: CallHandler) => ReturnType<CallHandler['handle']>;

function interceptor(intercept: Step): Type<NestInterceptor> {
  @Injectable()
  class Habitual implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler) {
      return intercept(context, next);
    }
  }
  return Habitual;
}

const withInterceptor = (step: Step): MethodDecorator[] => [UseInterceptors(interceptor(step))];

@Injectable()
class NobodyEnters implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException();
  }
}

@Injectable()
class SetsHeader implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    setHeader(context);
    return true;
  }
}

export class User {
  constructor(readonly id: number) {}
  @Exclude() password = 's3cret';
}

const setHeader = (context: ExecutionContext): void =>
  void context.switchToHttp().getResponse<AnyResponse>().header('X-Report', '7');

interface Fastify {
  register(plugin: unknown, options?: object): Promise<void>;
}
const fastifyOf = (app: INestApplication): Fastify => app.getHttpAdapter().getInstance() as Fastify;

const setCookies = (app: INestApplication, adapter: Adapter): void => {
  if (adapter === 'express') app.use(cookieParser());
  else void fastifyOf(app).register(fastifyCookie);
};

interface TimedResponse {
  statusCode: number;
  setTimeout(ms: number, then: () => void): void;
  end(text: string): void;
}

const store = new AsyncLocalStorage<string>();

export const HABITS: readonly Habit[] = [
  {
    name: '`@Res({ passthrough: true })` and a header',
    response: passthrough,
    handler: (response) => void response.header('X-Report', '7'),
    works: has('x-report'),
  },
  {
    name: '`@Res()` and a header',
    response: Res(),
    handler: (response) => void response.header('X-Report', '7'),
    works: has('x-report'),
  },
  { name: '`@Next()`', response: Next(), works: streams },
  { name: '`@Header()`', decorators: [Header('X-Report', '7')], works: has('x-report') },
  {
    name: '`@Header("Content-Type", …)` with a charset',
    decorators: [Header('Content-Type', 'text/event-stream; charset=utf-8')],
    works: has('content-type', 'text/event-stream; charset=utf-8'),
  },
  {
    name: '`@HttpCode(202)`',
    decorators: [HttpCode(202)],
    works: ({ status, data }) => status === 202 && data.length === 2,
  },
  {
    name: '`@Redirect()`',
    decorators: [Redirect('/elsewhere')],
    works: ({ status, headers }) => status === 302 && headers['location'] === '/elsewhere',
  },
  {
    name: 'a cookie',
    setup: setCookies,
    response: passthrough,
    handler(response) {
      if (response.setCookie) response.setCookie('sid', '7');
      else response.cookie?.('sid', '7');
    },
    works: has('set-cookie', 'sid=7'),
  },
  {
    name: 'a session of `express-session`',
    adapters: ['express'],
    setup: (app) => void app.use(session({ secret: 's', resave: false, saveUninitialized: false })),
    handler: (_response, request) => {
      if (request.session === undefined) return;
      request.session.user = 'ann';
      request.session.save?.();
    },
    works: has('set-cookie', 'connect.sid='),
  },
  {
    name: 'a session of `@fastify/session`',
    adapters: ['fastify'],
    setup(app, adapter) {
      setCookies(app, adapter);
      const cookie = { secure: false };
      const options = { secret: 's'.repeat(32), saveUninitialized: false, cookie };
      void fastifyOf(app).register(fastifySession, options);
    },
    handler: (_response, request) => {
      if (request.session !== undefined) request.session.user = 'ann';
    },
    works: has('set-cookie', 'sessionId='),
  },
  {
    name: '`helmet`',
    setup: (app) => void app.use(helmet()),
    works: has('x-content-type-options', 'nosniff'),
  },
  {
    name: '`compression`',
    adapters: ['express'],
    setup: (app) => void app.use(compression()),
    works: streams,
  },
  {
    name: 'a guard that refuses',
    decorators: [UseGuards(NobodyEnters)],
    works: isRefused(403),
  },
  {
    name: 'a handler that throws',
    handler: () => {
      throw new NotFoundException();
    },
    works: isRefused(404),
  },
  {
    name: 'a guard that sets headers, as one that limits rates does',
    decorators: [UseGuards(SetsHeader)],
    works: has('x-report'),
  },
  {
    name: '`ValidationPipe` with `validateCustomDecorators`',
    setup: (app) =>
      void app.useGlobalPipes(
        new ValidationPipe({ validateCustomDecorators: true, transform: true }),
      ),
    works: streams,
  },
  {
    name: '`ClassSerializerInterceptor`',
    setup: (app) =>
      void app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector))),
    data: (n) => new User(n),
    works: ({ data }) =>
      data.length === 2 &&
      data.every((text) => text.startsWith('{"id":') && !text.includes('s3cret')),
  },
  {
    name: '`CacheInterceptor`',
    module: {
      imports: [CacheModule.register()],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
    },
    works: streams,
  },
  {
    name: 'an interceptor that sets a header with the result',
    decorators: withInterceptor((context, next) =>
      next.handle().pipe(tap(() => setHeader(context))),
    ),
    // Nest sends the headers in the next turn, which may be a long one.
    everyMs: 200,
    works: has('x-report'),
  },
  {
    name: 'an interceptor that sets a header after it has awaited something',
    decorators: withInterceptor((context, next) =>
      next.handle().pipe(
        mergeMap(async (result: unknown) => {
          await new Promise((resolve) => setTimeout(resolve, 30));
          setHeader(context);
          return result;
        }),
      ),
    ),
    works: has('x-report'),
  },
  {
    name: 'an interceptor that logs',
    decorators: withInterceptor((_context, next) =>
      next.handle().pipe(
        tap(() => {}),
        finalize(() => {}),
      ),
    ),
    works: streams,
  },
  {
    name: 'an interceptor that puts each value into an envelope',
    decorators: withInterceptor((_context, next) =>
      next.handle().pipe(map((event: { data: unknown }) => ({ data: { data: event?.data } }))),
    ),
    works: ({ data }) => data.length === 2 && data.every((text) => text.startsWith('{"data":')),
  },
  {
    name: 'an interceptor that turns an empty result into 404',
    decorators: withInterceptor((_context, next) =>
      next.handle().pipe(
        tap((result: unknown) => {
          if (result == null) throw new NotFoundException();
        }),
      ),
    ),
    works: streams,
  },
  {
    name: 'an interceptor with a timeout, and a stream that is quiet for longer',
    everyMs: 600,
    decorators: withInterceptor((_context, next) =>
      next.handle().pipe(
        timeout({ each: 400 }),
        catchError(() => throwError(() => new RequestTimeoutException())),
      ),
    ),
    works: streams,
  },
  {
    name: 'a timeout of the server, and a stream that is quiet for longer',
    everyMs: 600,
    setup: (app) => void app.getHttpServer().setTimeout(400),
    works: streams,
  },
  {
    name: 'a middleware with `response.setTimeout()`, and a stream that is quiet for longer',
    everyMs: 600,
    setup: (app) =>
      void app.use((_request: unknown, response: TimedResponse, next: () => void) => {
        response.setTimeout(400, () => {
          response.statusCode = 408;
          response.end('timed out');
        });
        next();
      }),
    works: streams,
  },
  {
    name: '`AsyncLocalStorage` in the source of the stream',
    setup: (app) =>
      void app.use((_request: unknown, _response: unknown, next: () => void) => {
        store.run('r7', next);
      }),
    data: () => store.getStore() ?? 'nothing',
    works: ({ data }) => data.length === 2 && data.every((text) => text.includes('r7')),
  },
  {
    name: 'binary data',
    data: (n) => new Uint8Array([n]).buffer,
    works: ({ data }) => data.length === 2 && data.every((text) => /^\w\w==$/.test(text)),
  },
];
