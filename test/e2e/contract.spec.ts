// A contract at run time: what is asked, what is sent, and what a client is given.
import { Controller, Module, Param, ParseIntPipe, Query } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type as ark } from 'arktype';
import { from, map, of, startWith } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseInvalidEventError,
  SseStream,
} from 'nestjs-eventstream';
import { connect, type EventStream } from 'nestjs-eventstream/client';
import {
  sseContract,
  type EventsOf,
  type ParamsOf,
  type QueryOf,
} from 'nestjs-eventstream/contract';
import { openStream } from 'nestjs-eventstream/testing';
import { ADAPTERS, serve } from '../support/serve.js';

const orders = sseContract({
  path: 'orders/:customer/events',
  query: z.strictObject({
    since: z.iso.datetime().optional(),
    limit: z.coerce.number().default(5),
  }),
  params: z.object({ customer: z.string().regex(/^c\d+$/, 'expected c and digits') }),
  events: {
    created: z.object({ no: z.int(), note: z.string().default('none') }),
    shipped: v.object({ no: v.pipe(v.number(), v.integer()), at: v.date() }),
    moved: ark({ to: 'string' }),
    message: z.string(),
  },
});

/** As the server was before: without `moved`, and with an event of its own. */
const older = sseContract({
  path: 'older',
  events: { created: orders.events.created, dropped: z.null() },
});

@Controller()
class Routes {
  asked: unknown[] = [];
  constructor(private readonly hub: Broadcaster<EventsOf<typeof orders>>) {}

  @SseStream(orders)
  stream(
    @Param('customer') customer: string,
    @Query() query: QueryOf<typeof orders>,
    @Query('limit') limit: number,
    @Param() params: ParamsOf<typeof orders>,
  ) {
    this.asked.push({ customer, query, limit, params });
    return this.hub.stream(customer);
  }

  @SseStream(older)
  another() {
    return this.hub.stream('c1').pipe(
      map((event) => event as never),
      startWith({ type: 'dropped', data: null } as const),
    );
  }

  @SseStream(sseContract({ path: 'own/:kind', events: orders.events }))
  own(@Param('kind') kind: string, @Connection() connection: SseConnection) {
    if (kind === 'sent')
      void connection.send({ type: 'created', data: { no: 'x' } }).catch(() => {});
    return from(
      {
        good: [{ type: 'created', data: { no: 1 } } as const, { comment: 'a comment' }],
        bad: [{ type: 'created', data: { no: 1 } } as const, { type: 'created', data: {} }],
        unknown: [{ type: 'deleted', data: 1 }],
        sent: [],
      }[kind] as never[],
    );
  }

  @SseStream(sseContract({ path: 'snap', events: orders.events }))
  snapshot() {
    return this.hub.stream('c1', {
      snapshot: async () => [
        { type: 'created', data: { no: 7 } },
        { type: 'message', data: 3 },
      ],
    });
  }

  @SseStream(
    sseContract({
      path: 'pipes/:no',
      params: z.object({ no: z.string() }),
      events: { message: z.unknown() },
    }),
  )
  pipes(@Param('no', ParseIntPipe) no: number) {
    return of({ data: no });
  }
}

const sse = { contract: orders };
const streams: { close(): void }[] = [];
const opened = <Events extends object>(stream: EventStream<Events>): EventStream<Events> => {
  streams.push(stream);
  return stream;
};
afterEach(() => streams.splice(0).forEach((stream) => stream.close()));

describe.each(ADAPTERS)('a contract on %s', (adapter) => {
  it('checks the query and the parameters, and gives the handler what they become', async () => {
    const app = await serve(Routes, { adapter, sse });
    const good = await openStream(app.nest, '/orders/c1/events?limit=3&lastEventId=x');
    expect(good.status).toBe(200);
    const { asked } = app.nest.get(Routes);
    expect(asked).toEqual([
      { customer: 'c1', query: { limit: 3 }, limit: 3, params: { customer: 'c1' } },
    ]);
    const bad = await openStream(app.nest, '/orders/ann/events?since=now&page=2');
    expect(bad.status).toBe(400);
    expect(JSON.parse(await bad.ended)).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: [
        expect.stringMatching(/^query\.since: Invalid ISO datetime$/),
        expect.stringMatching(/^query: Unrecognized key: "page"$/),
        'params.customer: expected c and digits',
      ],
    });
    expect(asked).toHaveLength(1);
  });

  it('leaves a parameter with pipes of its own to them', async () => {
    const app = await serve(Routes, { adapter, sse });
    const stream = await openStream(app.nest, '/pipes/42');
    expect(await stream.next()).toMatchObject({ data: 42 });
  });

  it('gives the handler nothing else, if a schema returns undefined or null', async () => {
    const { events } = orders;
    const returning = (value: unknown) => z.looseObject({}).transform(() => value);
    @Controller()
    class Empty {
      @SseStream(sseContract({ path: 'undefined', query: returning(undefined), events }))
      none(@Query() query: unknown, @Query('a') a: unknown) {
        return of({ type: 'moved', data: { to: [query, a].map(String).join(' ') } } as const);
      }
      @SseStream(sseContract({ path: 'null', query: returning(null), events }))
      nothing(@Query() query: unknown, @Query('a') a: unknown) {
        return of({ type: 'moved', data: { to: [query, a].map(String).join(' ') } } as const);
      }
    }
    const app = await serve(Empty, { adapter });
    for (const value of ['undefined', 'null']) {
      const stream = await openStream(app.nest, `/${value}?a=1`);
      expect(await stream.next()).toMatchObject({ data: { to: `${value} undefined` } });
    }
  });

  it('knows the paths of modules and the global prefix', async () => {
    const contract = sseContract({ path: 'own', events: { message: z.string() } });
    @Controller()
    class First {
      @SseStream(contract) own(@Param('org') org: string, @Param('tenant') tenant: string) {
        return of({ data: `${org} ${tenant}` });
      }
    }
    @Controller()
    class Second {
      @SseStream(contract) own() {
        return of({ data: 'second' });
      }
    }
    @Module({ controllers: [First] })
    class OfFirst {}
    @Module({ controllers: [Second] })
    class OfSecond {}
    const paths = RouterModule.register([
      { path: 'first/:org', module: OfFirst },
      { path: 'second', module: OfSecond },
    ]);
    const app = await serve([], {
      adapter,
      module: { imports: [OfFirst, OfSecond, paths] },
      setup: (nest) => void nest.setGlobalPrefix('of/:tenant'),
    });
    const first = await openStream(app.nest, '/of/ann/first/acme/own');
    expect(await first.next()).toMatchObject({ data: 'acme ann' });
    const second = await openStream(app.nest, '/of/ann/second/own');
    expect(await second.next()).toMatchObject({ data: 'second' });
  });

  it('sends what the schemas return, and nothing of a wrong event', async () => {
    const app = await serve(Routes, { adapter, sse });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const stream = await openStream(app.nest, '/orders/c1/events');
    const wrong = hub.to('c1').emit('created', { no: 1.5, note: 7 } as never);
    await expect(wrong).rejects.toThrow(SseInvalidEventError);
    await expect(wrong).rejects.toMatchObject({
      code: 'SSE_INVALID_EVENT',
      type: 'created',
      problems: [{ path: 'no' }, { path: 'note' }],
      message: expect.stringContaining('event "created" is not what its contract says: no: '),
    });
    await expect(hub.to('c1').emit('deleted' as never, 1 as never)).rejects.toThrow(
      'no such event in the contract; use one of created, shipped, moved, message, or add it',
    );
    await expect(hub.publish('c1', { data: 1 })).rejects.toThrow('event "message"');
    await hub.to('c1').emit('created', { no: 1, more: true } as never);
    await hub.to('c1').emit('shipped', { no: 1, at: new Date(0) });
    await hub.to('c1').emit('moved', { to: 'Rome' });
    await hub.publish('c1', { data: 'text' });
    await hub.publish('c1', { comment: 'no event' });
    expect(await stream.next()).toMatchObject({ type: 'created', data: { no: 1, note: 'none' } });
    expect(await stream.next()).toMatchObject({ data: { no: 1, at: '1970-01-01T00:00:00.000Z' } });
    expect(await stream.next()).toMatchObject({ type: 'moved', data: { to: 'Rome' } });
    expect(await stream.next()).toMatchObject({ type: 'message', data: 'text' });
  });

  it('checks what a handler emits', async () => {
    const app = await serve(Routes, { adapter, sse });
    const good = await openStream(app.nest, '/own/good');
    expect(await good.next()).toMatchObject({ data: { no: 1, note: 'none' } });
    await good.ended;
    const bad = await openStream(app.nest, '/own/bad');
    expect(await bad.next('created')).toMatchObject({ data: { no: 1 } });
    expect(await bad.next('sse-error')).toBeDefined();
    const unknown = await openStream(app.nest, '/own/unknown');
    expect(unknown.status).toBe(500);
    await openStream(app.nest, '/own/sent');
    const told = 'event "created" is not what its contract says';
    expect(app.logged.filter((line) => line.includes(told))).not.toHaveLength(0);
  });

  it('checks a snapshot', async () => {
    const app = await serve(Routes, { adapter, sse });
    const stream = await openStream(app.nest, '/snap');
    expect(await stream.next('created')).toMatchObject({ data: { no: 7, note: 'none' } });
    expect(await stream.next('sse-error')).toBeDefined();
    expect(app.logged.join()).toContain('event "message" is not what its contract says');
  });

  it('leaves out events of the hub that the route does not have, with a warning', async () => {
    const app = await serve(Routes, { adapter, sse: { contract: [orders, older] } });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const stream = await openStream(app.nest, '/older');
    await stream.next('dropped');
    // A warning comes once for each type.
    if (adapter === 'express') await hub.to('c1').emit('moved', { to: 'Rome' });
    else await hub.publish('c1', { data: 'text' });
    await hub.to('c1').emit('created', { no: 2 });
    expect(await stream.next()).toMatchObject({ type: 'created', data: { no: 2 } });
    const type = adapter === 'express' ? 'moved' : 'message';
    expect(app.logged.join()).toContain(
      `The contract of the stream /older has no event "${type}", so it was left out; add it`,
    );
  });

  it('moves the client past events that it leaves out', async () => {
    const options = { contract: [orders, older], keepAlive: { intervalMs: 20 } };
    const app = await serve(Routes, { adapter, sse: options });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const stream = app.open('/older');
    await stream.next('dropped');
    const id = await hub.to('c1').emit('moved', { to: 'Rome' });
    await stream.until(({ text }) => text.includes(`id: ${id}`));
    expect(stream.events.map(({ type }) => type)).toEqual(['dropped']);
  });

  it('refuses events of a hub without the contract', async () => {
    const app = await serve(Routes, { adapter });
    const stream = await openStream(app.nest, '/orders/c1/events');
    await app.nest.get(Broadcaster).to('c1').emit('created', { no: 1, note: '' });
    expect(await stream.next('sse-error')).toBeDefined();
    expect(app.logged.join()).toContain('pass the contract as `contract` to SseModule.forRoot()');
  });
});

describe('connect() with a contract', () => {
  it('builds the URL, and gives typed events', async () => {
    const app = await serve(Routes, { sse });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const baseUrl = `${app.url}/`;
    const stream = opened(
      connect(orders, {
        baseUrl,
        params: { customer: 'c 1/ü'.slice(0, 1) + '1' },
        query: { limit: 2 },
      }),
    );
    await new Promise<void>((resolve) => {
      stream.onState((state) => state === 'open' && resolve());
    });
    await hub.to('c1').emit('created', { no: 1 });
    for await (const event of stream) {
      expect(event).toMatchObject({ type: 'created', data: { no: 1, note: 'none' } });
      break;
    }
  });

  it('needs the URL of the server where there is no page', () => {
    expect(() => connect(sseContract({ path: 'a', events: orders.events }))).toThrow(
      'baseUrl: expected the URL of the server, because there is no page to take it from',
    );
  });

  it('ignores types that it does not know', async () => {
    const app = await serve(Routes, { sse });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const mine = sseContract({
      path: orders.path,
      events: { moved: ark({ to: 'string' }) },
    });
    const stream = opened(connect(mine, { baseUrl: app.url, params: { customer: 'c1' } }));
    const types: string[] = [];
    stream.subscribe(({ type }) => void types.push(type));
    await new Promise<void>((resolve) => {
      stream.onState((state) => state === 'open' && resolve());
    });
    await hub.to('c1').emit('created', { no: 1 });
    const cursor = await hub.to('c1').emit('moved', { to: 'Rome' });
    await new Promise<void>((resolve) => stream.on('moved', () => resolve()));
    expect(types).toEqual(['moved']);
    // With the rooms that it is about.
    expect(stream.lastEventId).toMatch(new RegExp(`^${cursor}(~r|$)`));
  });

  it('tells wrong events with validate, and goes on', async () => {
    const app = await serve(Routes, { sse });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const mine = sseContract({
      path: orders.path,
      events: {
        created: z.object({ no: z.string() }),
        shipped: z.object({ no: z.number(), at: z.coerce.date() }),
        moved: z.unknown().transform(() => {
          throw new Error('broken schema');
        }),
      },
    });
    const invalid: unknown[] = [];
    const options = { baseUrl: app.url, params: { customer: 'c1' }, validate: true } as const;
    const stream = opened(
      connect(mine, { ...options, onInvalid: (event) => void invalid.push(event) }),
    );
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const warned = opened(connect(mine, options));
    const got = [stream, warned].map(
      (one) => new Promise<Date>((resolve) => one.on('shipped', ({ data: { at } }) => resolve(at))),
    );
    await Promise.all(
      [stream, warned].map(
        (one) =>
          new Promise<void>((resolve) => one.onState((state) => state === 'open' && resolve())),
      ),
    );
    await hub.to('c1').emit('created', { no: 1 });
    await hub.to('c1').emit('created', { no: 2 });
    await hub.to('c1').emit('moved', { to: 'Rome' });
    await hub.publish('c1', { data: 'text' });
    await hub.to('c1').emit('shipped', { no: 1, at: new Date(5) });
    expect(await Promise.all(got)).toEqual([new Date(5), new Date(5)]);
    expect(invalid).toMatchObject([
      {
        type: 'created',
        data: { no: 1, note: 'none' },
        problems: [expect.stringMatching(/^no: /)],
      },
      { type: 'created', data: { no: 2 } },
      { type: 'moved', problems: ['the schema failed: Error: broken schema'] },
      { type: 'message', data: 'text', problems: ['the contract has no event of this type'] },
    ]);
    expect(warn.mock.calls.map(([text]) => String(text).slice(0, 20))).toEqual([
      'The event "created" ',
      'The event "moved" is',
      'The event "message" ',
    ]);
    warn.mockRestore();
  });
});

describe('connect() with validate', () => {
  it('takes text that looks like JSON, and no data, as the schema has it', async () => {
    const plain = sseContract({
      path: 'plain',
      events: { message: z.string(), ping: z.void(), no: z.number() },
    });
    @Controller()
    class Plain {
      @SseStream(plain) stream() {
        return from([
          { data: '42' },
          { data: '{"a":1}' },
          { type: 'ping', data: undefined },
          { type: 'no', data: 7 },
        ] as const);
      }
    }
    const app = await serve(Plain);
    const stream = opened(connect(plain, { baseUrl: app.url, validate: true }));
    const got: unknown[] = [];
    for await (const { data } of stream) if (got.push(data) === 4) break;
    expect(got).toEqual(['42', '{"a":1}', undefined, 7]);
  });

  it('tells nothing after it was closed', async () => {
    let ask = (): void => {};
    const asked = new Promise<void>((resolve) => (ask = resolve));
    let answer: (isRight: boolean) => void = () => {};
    const slow = z.unknown().refine(async () => {
      ask();
      return new Promise<boolean>((resolve) => (answer = resolve));
    });
    const mine = sseContract({ path: orders.path, events: { moved: slow } });
    const app = await serve(Routes, { sse });
    const hub = app.nest.get<Broadcaster<EventsOf<typeof orders>>>(Broadcaster);
    const onInvalid = jest.fn();
    const options = { baseUrl: app.url, params: { customer: 'c1' }, validate: true, onInvalid };
    const stream = opened(connect(mine, options));
    await new Promise<void>((resolve) => {
      stream.onState((state) => state === 'open' && resolve());
    });
    await hub.to('c1').emit('moved', { to: 'Rome' });
    await asked;
    stream.close();
    answer(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(onInvalid).not.toHaveBeenCalled();
  });
});

describe('at start-up', () => {
  const events = { message: z.string() };
  const contract = sseContract({ path: 'a/:id', events });

  it('two contracts on one method', () => {
    expect(() => {
      class Twice {
        @SseStream(contract)
        @SseStream(sseContract({ path: 'b', events }))
        stream() {
          return of({ data: '' });
        }
      }
      return Twice;
    }).toThrow('stream() has the contract "b" already; write a method for each contract');
  });

  it('two contracts on one route', async () => {
    @Controller('api')
    class Two {
      @SseStream(contract) one() {
        return of({ data: '' });
      }
      @SseStream(sseContract({ path: '/a/:other', events })) two() {
        return of({ data: '' });
      }
    }
    await expect(serve(Two)).rejects.toThrow(
      '@SseStream() of Two.two(): Two.one() has the same route, so only one of them is called',
    );
  });

  it('but not one controller in two modules', async () => {
    @Controller()
    class Shared {
      @SseStream(sseContract({ path: 'shared', events })) stream() {
        return of({ data: 'once' });
      }
    }
    @Module({ controllers: [Shared] })
    class Other {}
    const app = await serve(Shared, { module: { imports: [Other] } });
    const stream = await openStream(app.nest, '/shared');
    expect(await stream.next()).toMatchObject({ data: 'once' });
  });

  it('a parameter that the path does not have', async () => {
    @Controller('of/:tenant')
    class Misspelt {
      @SseStream(contract) one(@Param('tenant') _tenant: string, @Param('ident') _id: string) {
        return of({ data: '' });
      }
    }
    await expect(serve(Misspelt)).rejects.toThrow(
      '@Param() of Misspelt.one(): the contract "a/:id" has no parameter ":ident"; add it to the path, or correct the name',
    );
  });

  it('two contracts of a hub that describe an event differently', async () => {
    const other = sseContract({ path: 'b', events: { message: z.string() } });
    await expect(serve([], { sse: { contract: [contract, other] } })).rejects.toThrow(
      'contract: "a/:id" and "b" have an event "message" with different schemas; share the schema',
    );
    await expect(serve([], { sse: { contract: 'orders' as never } })).rejects.toThrow(
      'contract: expected a contract of sseContract(), or an array of them, got "orders"',
    );
  });

  it('a schema that is always asynchronous, but not one that throws', async () => {
    const slow = v.pipeAsync(
      v.unknown(),
      v.checkAsync(async () => true),
    );
    const asynchronous = sseContract({ path: 'slow', events: { message: slow } });
    await expect(serve([], { sse: { contract: asynchronous } })).rejects.toThrow(
      'contract "slow", event "message": the schema returned a promise',
    );
    @Controller()
    class Slow {
      @SseStream(asynchronous) slow() {
        return of({ data: 1 });
      }
    }
    await expect(serve(Slow)).rejects.toThrow('contract "slow", event "message"');
    const throws = z.any().transform((value: { name: string }) => value.name.trim());
    const app = await serve([], {
      sse: { contract: sseContract({ path: 'a', events: { throws } }) },
    });
    const hub = app.nest.get<Broadcaster<{ throws: object }>>(Broadcaster);
    await hub.to('a').emit('throws', { name: 'x' });
    await expect(hub.to('a').emit('throws', {})).rejects.toThrow('asynchronous or threw an error');
  });

  it('anything else instead of a contract, and a map beside one', () => {
    expect(() => SseStream({ path: 'a' } as never)).toThrow(
      '@SseStream(): expected a path, or a contract of sseContract(), got an object with path',
    );
    expect(() => SseStream(contract, { map: { data: 'x' } } as never)).toThrow(
      'map: a contract says what events look like; emit them as { type, data } instead',
    );
  });
});
