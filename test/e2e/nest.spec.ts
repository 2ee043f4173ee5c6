import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  HttpException,
  Injectable,
  Scope,
  UseGuards,
  UseInterceptors,
  Version,
  VersioningType,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  concatMap,
  defer,
  from,
  map,
  NEVER,
  Observable,
  of,
  tap,
  throwError,
  timeout,
  timer,
} from 'rxjs';
import { Connection, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

const body = (text: string): string => text.replace(/^: connected\nretry: \d+\n\n/, '');

@Injectable()
class Deny implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

describe.each(ADAPTERS)('with the rest of Nest on %s', (adapter) => {
  // feature: 30, 72
  it('a guard decides before anything is opened', async () => {
    let calls = 0;
    @Controller()
    class Guarded {
      @SseStream('guarded') @UseGuards(Deny) guarded() {
        calls++;
        return NEVER;
      }
    }
    const app = await serve(Guarded, { adapter });
    const refused = app.open('/guarded');
    expect((await responded(refused)).status).toBe(403);
    expect(JSON.parse(await refused.ended)).toMatchObject({ statusCode: 403 });
    expect(calls).toBe(0);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });

  // feature: 30
  it('global prefix, versions in the URL and a header, and other routes work as for any handler', async () => {
    @Controller('v')
    class Versioned {
      @Version('1') @SseStream('x') one() {
        return of('one');
      }
      @SseStream('x') @Version('2') two() {
        return of('two');
      }
      @Version('1') @Get('json') json() {
        return { j: 1 };
      }
    }
    const byUrl = await serve(Versioned, {
      adapter,
      setup: (app) => app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI }),
    });
    expect(body(await byUrl.open('/api/v1/v/x').ended)).toBe('data: one\n\n');
    expect(body(await byUrl.open('/api/v2/v/x').ended)).toBe('data: two\n\n');
    expect(await byUrl.open('/api/v1/v/json').ended).toBe('{"j":1}');
    const byHeader = await serve(Versioned, {
      adapter,
      setup: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'X-V' }),
    });
    expect(body(await byHeader.open('/v/x', { headers: { 'X-V': '2' } }).ended)).toBe(
      'data: two\n\n',
    );
    expect((await responded(byHeader.open('/v/x', { headers: { 'X-V': '3' } }))).status).toBe(404);
  });

  // feature: 30
  it('a request-scoped controller gets an instance per stream', async () => {
    let made = 0;
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    class Scoped {
      private readonly no = ++made;
      @SseStream() no_() {
        return of(this.no);
      }
    }
    const app = await serve(Scoped, { adapter });
    expect(body(await app.open('/scoped').ended)).toBe('data: 1\n\n');
    expect(body(await app.open('/scoped').ended)).toBe('data: 2\n\n');
  });

  it('an inherited handler streams', async () => {
    class Base {
      @SseStream('inherited') inherited(@Connection() connection: unknown) {
        return of(typeof connection);
      }
    }
    @Controller()
    class Derived extends Base {}
    const app = await serve(Derived, { adapter });
    expect(body(await app.open('/inherited').ended)).toBe('data: object\n\n');
  });

  // feature: 30
  it('interceptors see the set-up once, whatever they make of it, and not the stream', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Watch implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(
          tap({ next: (value) => seen.push(value), complete: () => seen.push('complete') }),
          map((wrapped: unknown) => ({ wrapped })),
        );
      }
    }
    @Controller()
    class Watched {
      @UseInterceptors(Watch) @SseStream('above') above() {
        return NEVER;
      }
      @SseStream('below') @UseInterceptors(Watch) below() {
        return of('a', 'b');
      }
    }
    const app = await serve(Watched, {
      adapter,
      setup: (nest) => nest.useGlobalInterceptors(new Watch()),
    });
    const open = app.open('/above');
    await open.until(({ text }) => text.endsWith('\n\n'));
    expect(seen).toEqual([undefined, { wrapped: undefined }, 'complete', 'complete']);
    expect(body(await app.open('/below').ended)).toBe('data: a\n\ndata: b\n\n');
    expect(app.logged).toEqual([]);
  });

  it('a global timeout ends a handler that does not return, and leaves open streams alone', async () => {
    let subscribed = 0;
    @Injectable()
    class Timeout implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(timeout(40));
      }
    }
    @Controller()
    class Slow {
      @SseStream('never-returns') neverReturns(): Promise<Observable<string>> {
        return new Promise(() => {});
      }
      @SseStream('long') long() {
        subscribed++;
        return timer(120).pipe(map(() => 'late'));
      }
    }
    const app = await serve(Slow, {
      adapter,
      module: { providers: [{ provide: APP_INTERCEPTOR, useClass: Timeout }] },
    });
    expect((await responded(app.open('/never-returns'))).status).toBe(500);
    expect(body(await app.open('/long').ended)).toBe('data: late\n\n');
    expect(subscribed).toBe(1);
  });

  // feature: 30
  // fault: 19
  it('a filter of the app answers before the first byte and is not asked after it', async () => {
    const asked: string[] = [];
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost): void {
        asked.push(error.message);
        const status = error instanceof HttpException ? error.getStatus() : 500;
        const response = host
          .switchToHttp()
          .getResponse<{ status(code: number): { send(text: string): void } }>();
        response.status(status).send(`filtered ${error.message}`);
      }
    }
    @Controller()
    class Failing {
      @SseStream('early') early() {
        return throwError(() => new HttpException('early', 418));
      }
      @SseStream('late') late() {
        return from(['one', 'two']).pipe(
          concatMap((value) => (value === 'one' ? of(value) : throwError(() => new Error('late')))),
        );
      }
    }
    const app = await serve(Failing, {
      adapter,
      setup: (nest) => nest.useGlobalFilters(new Filter()),
    });
    const early = app.open('/early');
    expect((await responded(early)).status).toBe(418);
    expect(await early.ended).toBe('filtered early');
    expect(await app.open('/late').ended).toMatch(/data: one\n\nevent: sse-error\n/);
    expect(asked).toEqual(['early']);
  });

  // feature: 30
  it('the stores of the app’s middleware and interceptors reach the handler and the source', async () => {
    const user = new AsyncLocalStorage<string>();
    const tenant = new AsyncLocalStorage<string>();
    @Injectable()
    class TenantStore implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return new Observable((subscriber) =>
          tenant.run('acme', () => next.handle().subscribe(subscriber)),
        );
      }
    }
    const facts = (): string => `${user.getStore()} of ${tenant.getStore()}`;
    @Controller()
    class Stores {
      @SseStream('stores') @UseInterceptors(TenantStore) async stores() {
        await new Promise(setImmediate);
        const inHandler = facts();
        return defer(() => timer(5)).pipe(map(() => `${inHandler}, ${facts()}`));
      }
    }
    const app = await serve(Stores, {
      adapter,
      setup: (nest) =>
        nest.use((_request: unknown, _response: unknown, next: () => void) =>
          user.run('ada', next),
        ),
    });
    expect(body(await app.open('/stores').ended)).toBe('data: ada of acme, ada of acme\n\n');
  });

  it('a header of CORS, when the app asks for it, is on the stream', async () => {
    @Controller()
    class Plain {
      @SseStream('x') x() {
        return of('x');
      }
    }
    const app = await serve(Plain, {
      adapter,
      setup: (nest) => nest.enableCors({ origin: 'http://a.test' }),
    });
    const { headers } = await responded(app.open('/x', { headers: { origin: 'http://a.test' } }));
    expect(headers['access-control-allow-origin']).toBe('http://a.test');
  });

  it('a decorated method that a unit test calls returns what it returns', () => {
    class Plain {
      @SseStream('x') x() {
        return of('x');
      }
      @SseStream('y') async y(value: string) {
        return of(value);
      }
    }
    const values: unknown[] = [];
    new Plain().x().subscribe((value) => values.push(value));
    expect(values).toEqual(['x']);
    expect(new Plain().y('z')).toBeInstanceOf(Promise);
  });
});
