import { describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Header,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Query,
  RequestMethod,
  Res,
} from '@nestjs/common';
import { concat, EMPTY, from, map, NEVER, Observable, of, throwError, timer } from 'rxjs';
import {
  Connection,
  LastEventId,
  SseData,
  SseId,
  SseRetry,
  SseStream,
  SseType,
  type SseConnection,
} from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

const OPENING = /^: connected\nretry: (\d+)\n\n/;
const body = (text: string): string => text.replace(OPENING, '');

describe.each(ADAPTERS)('a stream on %s', (adapter) => {
  // feature: 9, 10, 18
  // fault: 11
  it('begins at once, with its headers and the opening frame, although the source is silent', async () => {
    @Controller()
    class Quiet {
      @SseStream('quiet') quiet() {
        return NEVER;
      }
    }
    const app = await serve(Quiet, { adapter });
    const stream = app.open('/quiet');
    const { status, headers } = await responded(stream);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    await stream.until(({ text }) => text.endsWith('\n\n'));
    const retry = Number(OPENING.exec(stream.text)?.[1]);
    expect(retry).toBeGreaterThanOrEqual(2_000);
    expect(retry).toBeLessThanOrEqual(5_000);
    expect(body(stream.text)).toBe('');
  });

  // feature: 1, 3, 4, 6, 12, 14
  it('writes messages and plain values byte for byte, and ends when the source completes', async () => {
    @Controller()
    class Messages {
      @SseStream('messages') messages() {
        return of(
          'x',
          '',
          7,
          null,
          { data: { n: 1 } },
          { type: 'order', data: 'x' },
          { id: 'msg-0', data: 'x' },
          { comment: ['a', 'b\nc'] },
          { comment: 'n', type: 'T', id: '7', retry: 5000, data: { n: 1 } },
          Buffer.from([0x89, 0x50, 0x4e, 0x47]),
          { data: 'a\nb\r\nc\rd' },
          { data: '✓' },
        );
      }
    }
    const app = await serve(Messages, { adapter });
    expect(body(await app.open('/messages').ended)).toBe(
      [
        'data: x',
        'data: ',
        'data: 7',
        'data: null',
        'data: {"n":1}',
        'event: order\ndata: x',
        'data: x\nid: msg-0',
        ': a\n: b\n: c',
        ': n\nevent: T\nretry: 5000\ndata: {"n":1}\nid: 7',
        'data: iVBORw==',
        'data: a\ndata: b\ndata: c\ndata: d',
        'data: ✓',
        '',
      ].join('\n\n'),
    );
  });

  // feature: 26
  it('takes Observables, AsyncIterables and promises of them, with equal bytes', async () => {
    const values = ['one', { data: { two: 2 } }];
    @Controller()
    class Sources {
      @SseStream('observable') observable() {
        return from(values);
      }
      @SseStream('promise') async promise() {
        return from(values);
      }
      @SseStream('generator') async *generator() {
        yield* values;
      }
      @SseStream('promised-iterable') async promisedIterable() {
        return this.generator();
      }
      @SseStream('imperative') imperative(@Connection() connection: SseConnection) {
        void connection.send({ data: 'one' });
        setImmediate(() => {
          void connection.send({ data: { two: 2 } });
          connection.close();
        });
        return NEVER;
      }
    }
    const app = await serve(Sources, { adapter });
    const paths = ['observable', 'promise', 'generator', 'promised-iterable', 'imperative'];
    const bodies = await Promise.all(paths.map((path) => app.open(`/${path}`).ended));
    expect(bodies.map(body)).toEqual(paths.map(() => 'data: one\n\ndata: {"two":2}\n\n'));
  });

  // feature: 24
  // fault: 12
  it('ends an empty source in full', async () => {
    @Controller()
    class Empty {
      @SseStream('empty') empty() {
        return EMPTY;
      }
    }
    const app = await serve(Empty, { adapter });
    expect(body(await app.open('/empty').ended)).toBe('');
  });

  // feature: 10, 31
  it('answers HEAD with the headers, without starting the source', async () => {
    let subscriptions = 0;
    @Controller()
    class Ticks {
      @SseStream('ticks/:n') ticks(@Param('n', ParseIntPipe) n: number) {
        return new Observable<number>((subscriber) => {
          subscriptions++;
          subscriber.next(n);
        });
      }
    }
    const app = await serve(Ticks, { adapter });
    const head = app.open('/ticks/7', { method: 'HEAD' });
    expect(await responded(head)).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    });
    expect(await head.ended).toBe('');
    expect(subscriptions).toBe(0);
    expect((await responded(app.open('/ticks/x', { method: 'HEAD' }))).status).toBe(400);
  });

  // feature: 19
  it('is found by its own method and path only', async () => {
    @Controller('c')
    class Methods {
      @SseStream('get') get() {
        return of('got');
      }
      @SseStream('post', { method: RequestMethod.POST }) post(@Body() sent: unknown) {
        return of({ data: sent });
      }
    }
    const app = await serve(Methods, { adapter });
    const post = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"p":1}',
    };
    const posted = app.open('/c/post', post);
    expect((await responded(posted)).status).toBe(200);
    expect(body(await posted.ended)).toBe('data: {"p":1}\n\n');
    expect((await responded(app.open('/c/get', post))).status).toBe(404);
    expect((await responded(app.open('/c/post'))).status).toBe(404);
  });

  // feature: 29
  it('keeps the requests of several clients apart', async () => {
    @Controller('stocks')
    class Stocks {
      @SseStream(':symbol') price(
        @Param('symbol') symbol: string,
        @Query('currency') currency = 'EUR',
      ) {
        return of({ type: 'price_update', data: { symbol, currency } });
      }
    }
    const app = await serve(Stocks, { adapter });
    const [acme, other] = [app.open('/stocks/ACME'), app.open('/stocks/XYZ?currency=USD')];
    expect(body(await acme.ended)).toBe(
      'event: price_update\ndata: {"symbol":"ACME","currency":"EUR"}\n\n',
    );
    expect(body(await other.ended)).toContain('{"symbol":"XYZ","currency":"USD"}');
  });

  // feature: 28, 31
  it('honours @Header(), @HttpCode() and `headers`, but not for Content-Type', async () => {
    @Controller()
    class Headers {
      @SseStream('x', {
        headers: {
          'X-Custom-Header': 'yes',
          'cache-control': 'no-store',
        },
      })
      @Header('X-A', 'b')
      @Header('Content-Type', 'text/plain')
      @HttpCode(202)
      x() {
        return of('x');
      }
      @HttpCode(203)
      @SseStream('above')
      above() {
        return of('x');
      }
      @SseStream('plain') plain() {
        return of('x');
      }
    }
    const app = await serve(Headers, { adapter });
    expect(await responded(app.open('/x'))).toMatchObject({
      status: 202,
      headers: {
        'x-custom-header': 'yes',
        'x-a': 'b',
        'cache-control': 'no-store',
        'content-type': 'text/event-stream',
      },
    });
    expect((await responded(app.open('/above'))).status).toBe(203);
    const plain = await responded(app.open('/plain'));
    expect(plain.headers['cache-control']).toBe('no-cache, no-transform');
    expect(plain.headers).not.toHaveProperty('x-custom-header');
  });

  // feature: 16
  it('maps domain objects by `map` and by property decorators', async () => {
    class Notice {
      @SseData() text = 'Hi';
      @SseType() kind = 'notice';
      @SseId() no = 7;
      @SseRetry() wait: number | undefined = undefined;
      secret = 'not sent';
    }
    @Controller()
    class Mapped {
      @SseStream('map', { map: { data: 'message', id: 'id' } }) map() {
        return of({ message: 'Hi', id: '1', other: true });
      }
      @SseStream('whole', { map: { type: 'kind' } }) whole() {
        return of({ kind: 'k', n: 1 });
      }
      @SseStream('class') class() {
        return of(new Notice());
      }
    }
    const app = await serve(Mapped, { adapter });
    expect(body(await app.open('/map').ended)).toBe('data: Hi\nid: 1\n\n');
    expect(body(await app.open('/whole').ended)).toBe('event: k\ndata: {"kind":"k","n":1}\n\n');
    expect(body(await app.open('/class').ended)).toBe('event: notice\ndata: Hi\nid: 7\n\n');
  });

  // feature: 28
  it('serialises as one stream or all of them are told to', async () => {
    const xml = (data: unknown): string => `<n>\n${(data as { n: number }).n}</n>`;
    @Controller()
    class Xml {
      @SseStream('own', { serialize: xml }) own() {
        return of({ data: { n: 1 } }, 'text stays');
      }
      @SseStream('module') module() {
        return of({ data: { n: 2 } });
      }
    }
    const app = await serve(Xml, { adapter, sse: { serialize: () => 'module' } });
    expect(body(await app.open('/own').ended)).toBe(
      'data: <n>\ndata: 1</n>\n\ndata: text stays\n\n',
    );
    expect(body(await app.open('/module').ended)).toBe('data: module\n\n');
  });

  // feature: 43
  it('draws a reconnection time per connection, takes a fixed one, or writes none', async () => {
    @Controller()
    class Retry {
      @SseStream('drawn') drawn() {
        return EMPTY;
      }
      @SseStream('fixed', { retry: 3000 }) fixed() {
        return EMPTY;
      }
      @SseStream('off', { retry: false }) off() {
        return EMPTY;
      }
    }
    const app = await serve(Retry, { adapter });
    const texts: string[] = [];
    // Not all at once: a server that is busy resets connections beyond its backlog.
    while (texts.length < 1_000) {
      const some = Array.from({ length: 100 }, () => app.open('/drawn').ended);
      texts.push(...(await Promise.all(some)));
    }
    const drawn = texts.map((text) => Number(OPENING.exec(text)?.[1]));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(2_000);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(5_000);
    // Some in each tenth of the range.
    expect(new Set(drawn.map((ms) => Math.min(9, Math.floor((ms - 2_000) / 300)))).size).toBe(10);
    expect(await app.open('/fixed').ended).toBe(': connected\nretry: 3000\n\n');
    expect(await app.open('/off').ended).toBe(': connected\n\n');
  });

  describe('last event ID', () => {
    @Controller()
    class Resumed {
      @SseStream('id') id(
        @LastEventId() id: string | undefined,
        @Connection() connection: SseConnection,
      ) {
        return of({ data: [id ?? null, connection.lastEventId ?? null] });
      }
      @SseStream('piped') piped(@LastEventId(ParseIntPipe) id: number) {
        return of({ data: id + 1 });
      }
    }
    const read = async (path: string, headers: Record<string, string>): Promise<unknown> => {
      const app = await serve(Resumed, { adapter });
      return (await app.open(path, { headers }).next()).data;
    };

    // feature: 45
    it.each([
      ['is the header', '/id', { 'last-event-id': '123' }, '123'],
      ['is the query where there is no header', '/id?lastEventId=7', {}, '7'],
      ['is the header where both are given', '/id?lastEventId=7', { 'last-event-id': '8' }, '8'],
      [
        'is read as the UTF-8 that browsers send',
        '/id',
        { 'last-event-id': Buffer.from('ä✓').toString('latin1') },
        'ä✓',
      ],
      ['may be long', '/id', { 'last-event-id': 'x'.repeat(10_000) }, 'x'.repeat(10_000)],
      ['is absent on a first connect', '/id', {}, null],
      [
        'is absent where the query holds no single text',
        '/id?lastEventId[a]=1&lastEventId=2&lastEventId=3',
        {},
        null,
      ],
    ] as const)('%s', async (_title, path, headers, expected) => {
      expect(await read(path, headers)).toEqual([expected, expected]);
    });

    // feature: 30, 45
    it('goes through pipes, whose refusal is an ordinary 400', async () => {
      expect(await read('/piped', { 'last-event-id': '41' })).toBe(42);
      const app = await serve(Resumed, { adapter });
      const refused = app.open('/piped', { headers: { 'last-event-id': 'x' } });
      expect((await responded(refused)).status).toBe(400);
    });
  });

  describe('what fails before the first byte', () => {
    @Controller()
    class Early {
      @SseStream('throws') throws(): Observable<string> {
        throw new NotFoundException('no such thing');
      }
      @SseStream('rejects') async rejects(): Promise<Observable<string>> {
        await new Promise(setImmediate);
        throw new NotFoundException('no such thing');
      }
      @SseStream('source') source() {
        return throwError(() => new NotFoundException('no such thing'));
      }
      @SseStream('first-message') firstMessage() {
        return of({ id: 'a\nb', data: 'x' });
      }
      @SseStream('number') number() {
        return 7 as unknown as Observable<number>;
      }
      @SseStream('header') header(
        @Res({ passthrough: true }) response: { header(name: string, value: string): void },
      ) {
        response.header('X-A', 'ä✓');
        return of('x');
      }
      @SseStream('room') async *room(@Query('room') room: string) {
        yield room;
      }
    }

    // feature: 40
    it.each(['throws', 'rejects', 'source'])(
      'is answered by Nest with its status (%s)',
      async (path) => {
        const app = await serve(Early, { adapter });
        const failed = app.open(`/${path}`);
        expect(await responded(failed)).toMatchObject({ status: 404 });
        expect(JSON.parse(await failed.ended)).toMatchObject({
          message: 'no such thing',
          statusCode: 404,
        });
      },
    );

    // feature: 20
    it.each([
      [
        'first-message',
        'id: must not contain CR, LF or NUL; encode it, for example as base64url (got "a\\nb")',
      ],
      ['number', 'a handler of @SseStream() must return an Observable or an AsyncIterable, got 7'],
      ['header', 'Invalid character in header content ["'],
    ])('is a 500 whose reason is logged (%s)', async (path, reason) => {
      const app = await serve(Early, { adapter });
      const failed = app.open(`/${path}`);
      expect((await responded(failed)).status).toBe(500);
      expect(JSON.parse(await failed.ended)).toMatchObject({ statusCode: 500 });
      expect(app.logged).toEqual([expect.stringContaining(reason)]);
    });
  });

  describe('what fails after the first byte', () => {
    const failing = (error: unknown) =>
      concat(of('one'), timer(1).pipe(map(() => { throw error; }))); // prettier-ignore
    @Controller()
    class Late {
      static readonly seen: [unknown, string][] = [];
      @SseStream('secret') secret() {
        return failing(new Error('the password is 1234'));
      }
      @SseStream('http') http() {
        return failing(new NotFoundException('gone meanwhile'));
      }
      @SseStream('hook', {
        onError: (error, connection) => {
          Late.seen.push([error, connection.state]);
          return { type: 'bye', data: 'own words' };
        },
      })
      hook() {
        return failing(new Error('for the hook'));
      }
      @SseStream('silent', { onError: () => undefined }) silent() {
        return failing(new Error('for nobody'));
      }
      @SseStream('hook-throws', {
        onError: () => {
          throw new Error('the hook is broken');
        },
      })
      hookThrows() {
        return failing(new Error('first'));
      }
      @SseStream('cycle') cycle() {
        const data: Record<string, unknown> = {};
        data['self'] = data;
        return of('one', { type: 'loop', data }, 'never');
      }
      @SseStream('bigint') bigint() {
        return of('one', { data: { n: 1n } }, 'never');
      }
      @SseStream('fields') fields() {
        return of('one', { temperature: 20 }, 'never');
      }
    }
    const read = async (path: string): Promise<{ text: string; logged: string[] }> => {
      const app = await serve(Late, { adapter });
      return { text: body(await app.open(path).ended), logged: app.logged };
    };
    const REDACTED =
      'event: sse-error\ndata: {"statusCode":500,"message":"Internal server error"}\n\n';

    // feature: 39
    it('is one neutral sse-error and the end; the reason is in the log', async () => {
      expect(await read('/secret')).toEqual({
        text: `data: one\n\n${REDACTED}`,
        logged: ['the password is 1234'],
      });
    });

    // feature: 39
    it('tells the client what an HttpException says', async () => {
      const { text } = await read('/http');
      expect(text).toBe(
        'data: one\n\nevent: sse-error\ndata: {"message":"gone meanwhile","error":"Not Found","statusCode":404}\n\n' +
          'event: sse-end\ndata: {"reason":"error"}\nid: sse-end\n\n',
      );
    });

    // feature: 38, 39
    it('is for `onError`, once, which answers with the last message or nothing', async () => {
      Late.seen.length = 0;
      expect((await read('/hook')).text).toBe('data: one\n\nevent: bye\ndata: own words\n\n');
      expect(Late.seen).toEqual([[new Error('for the hook'), 'open']]);
      expect(await read('/silent')).toEqual({ text: 'data: one\n\n', logged: [] });
      expect(await read('/hook-throws')).toEqual({
        text: 'data: one\n\n',
        logged: ['the hook is broken'],
      });
    });

    // feature: 13, 40
    // fault: 19
    it.each([
      ['/cycle', 'data of "loop": Converting circular structure to JSON'],
      ['/bigint', 'data: Do not know how to serialize a BigInt'],
      [
        '/fields',
        'temperature: not a field of a message; put the object into `data`, or set the option `map`',
      ],
    ])('leaves nothing of a message that cannot be sent on the wire (%s)', async (path, reason) => {
      const { text, logged } = await read(path);
      expect(text).toBe(`data: one\n\n${REDACTED}`);
      expect(logged).toEqual([expect.stringContaining(reason)]);
    });
  });

  // feature: 25
  // fault: 28
  it('tells a client that the stream is over, and its reconnect 204, with onComplete: close', async () => {
    @Controller()
    class Counter {
      @SseStream('counter', { onComplete: 'close' }) counter() {
        return of(0, 1);
      }
      @SseStream('again') again() {
        return of(0);
      }
    }
    const app = await serve(Counter, { adapter });
    expect(body(await app.open('/counter').ended)).toBe(
      'data: 0\n\ndata: 1\n\nevent: sse-end\ndata: {"reason":"complete"}\nid: sse-end\n\n',
    );
    const headers = { 'last-event-id': 'sse-end' };
    const back = app.open('/counter', { headers });
    expect((await responded(back)).status).toBe(204);
    expect(await back.ended).toBe('');
    // Every stream may have ended so, after a final status.
    expect((await responded(app.open('/again', { headers }))).status).toBe(204);
  });
});

// feature: 39
it('sends types that collide with the client’s own unchanged, with one warning each', async () => {
  @Controller()
  class Reserved {
    @SseStream('reserved') reserved() {
      return of(
        { type: 'error', data: 'x' },
        { type: 'error', data: 'y' },
        { type: 'open', data: 'z' },
      );
    }
  }
  const app = await serve(Reserved);
  expect(body(await app.open('/reserved').ended)).toBe(
    'event: error\ndata: x\n\nevent: error\ndata: y\n\nevent: open\ndata: z\n\n',
  );
  expect(app.logged).toEqual([
    expect.stringContaining('"error" to its onerror handler'),
    expect.stringContaining('"open" to its onopen handler'),
  ]);
});
