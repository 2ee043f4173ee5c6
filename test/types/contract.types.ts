// A contract gives both ends their types, and refuses every wrong use.
import { Param, Query } from '@nestjs/common';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { SseStream, type Broadcaster } from 'nestjs-eventstream';
import { connect, type EventStream } from 'nestjs-eventstream/client';
import {
  sseContract,
  type EventsOf,
  type ParamsOf,
  type QueryOf,
  type ReceivedEventsOf,
} from 'nestjs-eventstream/contract';
import { from, map, of, startWith, type Observable } from 'rxjs';

const orders = sseContract({
  path: 'orders/:customer/events',
  query: z.object({ since: z.iso.datetime().optional() }),
  events: {
    created: z.object({ no: z.int(), at: z.date(), note: z.string().default('') }),
    shipped: z.object({ no: z.int(), carrier: z.string() }),
    gone: { schema: z.null(), deprecated: 'use shipped', since: '2.1' },
  },
});
const clock = sseContract({ path: 'time', events: { message: v.number() } });
const search = sseContract({
  path: 'search/:lang/:page',
  params: z.object({ lang: z.enum(['en', 'de']), page: z.coerce.number() }),
  query: type({ q: 'string', 'limit?': 'string.integer.parse' }),
  events: { hit: type({ title: 'string', 'url?': 'string' }) },
});

/** Types that contain themselves. */
type Nested = { at: Date; in: Nested[] };
const trees = sseContract({
  path: 'trees',
  events: {
    json: z.json(),
    nested: z.custom<Nested>(),
    list: z.custom<readonly (string | null)[]>(),
  },
});

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Expect<IsEqual extends true> = IsEqual;

/** What the ends get. */
export type Ends = [
  Expect<
    Equal<EventsOf<typeof orders>['created'], { no: number; at: Date; note?: string | undefined }>
  >,
  Expect<
    Equal<ReceivedEventsOf<typeof orders>['created'], { no: number; at: string; note: string }>
  >,
  Expect<Equal<ReceivedEventsOf<typeof orders>['gone'], null>>,
  Expect<Equal<QueryOf<typeof orders>, { since?: string | undefined }>>,
  Expect<Equal<ParamsOf<typeof orders>, Record<'customer', string>>>,
  Expect<Equal<ParamsOf<typeof search>, { lang: 'en' | 'de'; page: number }>>,
  Expect<Equal<QueryOf<typeof search>, { q: string; limit?: number }>>,
  Expect<Equal<ReceivedEventsOf<typeof trees>['json'], z.core.util.JSONType>>,
  Expect<Equal<ReceivedEventsOf<typeof trees>['nested']['in'][number]['at'], string>>,
  Expect<Equal<ReceivedEventsOf<typeof trees>['list'], readonly (string | null)[]>>,
  // @ts-expect-error the type is another one
  Expect<Equal<ParamsOf<typeof orders>, Record<'client', string>>>,
];

export class OrdersController {
  constructor(
    private readonly hub: Broadcaster<EventsOf<typeof orders>>,
    private readonly others: Broadcaster<{ created: string }>,
    private readonly untyped: Broadcaster,
  ) {}

  @SseStream(orders)
  stream(@Param('customer') customer: string, @Query() _query: QueryOf<typeof orders>) {
    return this.hub.stream(customer);
  }

  @SseStream(orders, { onComplete: 'close' })
  mapped(@Param() { customer }: ParamsOf<typeof orders>) {
    return this.hub
      .stream(customer)
      .pipe(startWith({ type: 'shipped', data: { no: 1, carrier: 'x' }, id: 1 } as const));
  }

  @SseStream(orders)
  async own() {
    return of({ type: 'created', data: { no: 1, at: new Date() } } as const, { comment: 'hello' });
  }

  @SseStream(clock)
  async *time() {
    yield { data: 1 };
  }

  @SseStream(orders, { negotiate: true })
  negotiated() {
    return { no: 1 };
  }

  // @ts-expect-error the hub has other events
  @SseStream(orders)
  otherEvents() {
    return this.others.stream('a');
  }

  // @ts-expect-error nothing is known about the events of the hub
  @SseStream(orders)
  unknownEvents() {
    return this.untyped.stream('a');
  }

  // @ts-expect-error no such event
  @SseStream(orders)
  misspelt() {
    return of({ type: 'creatd', data: { no: 1 } } as const);
  }

  // @ts-expect-error the data of another event
  @SseStream(orders)
  wrongData() {
    return of({ type: 'shipped', data: { no: '1', carrier: 'x' } } as const);
  }

  // @ts-expect-error a plain value is no event of the contract
  @SseStream(orders)
  plain() {
    return from([1, 2]);
  }

  // @ts-expect-error not a stream
  @SseStream(orders)
  answer() {
    return { no: 1 };
  }

  // @ts-expect-error a map would rename what the contract names
  @SseStream(orders, { map: { data: 'x' } })
  withMap() {
    return this.hub.stream('a');
  }
}

export function emits(hub: Broadcaster<EventsOf<typeof orders>>): void {
  void hub.to('a').emit('created', { no: 1, at: new Date() });
  void hub.to('a').emit('gone', null);
  // @ts-expect-error no such event
  void hub.to('a').emit('deleted', { no: 1 });
  // @ts-expect-error a number is missing
  void hub.to('a').emit('created', { at: new Date() });
  // @ts-expect-error the hub takes a Date
  void hub.to('a').emit('created', { no: 1, at: '2026-01-01' });
}

export function connects(): void {
  const stream = connect(orders, { baseUrl: '/api', params: { customer: 'c7' } });
  const typed: EventStream<ReceivedEventsOf<typeof orders>> = stream;
  stream.on('created', ({ data }) => [data.no.toFixed(), data.at.slice(0, 10), data.note.trim()]);
  // @ts-expect-error no such event
  stream.on('creatd', () => {});
  // @ts-expect-error JSON has no dates
  stream.on('created', ({ data }) => data.at.getTime());
  const checked = connect(orders, { params: { customer: 'c7' }, validate: true });
  checked.on('created', ({ data }) => data.at.getTime());
  connect(orders, { params: { customer: 7 }, query: { since: '2026-01-01T00:00:00Z' } });
  connect(clock).on('message', ({ data }) => data.toFixed());
  connect(clock, { lastEventId: '1' });
  connect(search, { params: { lang: 'en', page: 1 }, query: { q: 'x', limit: '3' } });
  // @ts-expect-error the path needs a parameter
  connect(orders);
  // @ts-expect-error the path needs a parameter
  connect(orders, { baseUrl: '/api' });
  // @ts-expect-error another parameter
  connect(orders, { params: { client: 'c7' } });
  // @ts-expect-error no such parameter
  connect(clock, { params: { zone: 'utc' } });
  // @ts-expect-error the query has another type
  connect(orders, { params: { customer: 'c7' }, query: { since: 7 } });
  // @ts-expect-error the query is required
  connect(search, { params: { lang: 'en', page: 1 } });
  // @ts-expect-error a misspelt option
  connect(clock, { validte: true });
  void typed;
}

export function urls(): string[] {
  // @ts-expect-error the path needs a parameter
  orders.url();
  // @ts-expect-error no such parameter
  clock.url({ params: { a: 1 } });
  return [clock.url(), orders.url({ params: { customer: 'c7' } }), clock.url({ baseUrl: '/api' })];
}

// @ts-expect-error a path is needed
sseContract({ events: { a: z.string() } });
// @ts-expect-error events are needed
sseContract({ path: 'a' });
// @ts-expect-error not a schema
sseContract({ path: 'a', events: { a: String } });
// @ts-expect-error a misspelt option
sseContract({ path: 'a', events: { a: z.string() }, querry: z.object({}) });

export const numbers: Observable<number> = of(1).pipe(map((one) => one));
