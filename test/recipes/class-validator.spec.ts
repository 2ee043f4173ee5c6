// docs/recipes/class-validator: classes of class-validator as the events of a contract.
import { afterEach, expect, it } from '@jest/globals';
import { Controller, Param } from '@nestjs/common';
import { Type } from 'class-transformer';
import {
  IsArray,
  IsDate,
  IsInt,
  IsOptional,
  IsString,
  Min,
  MinLength,
  ValidateNested,
} from 'class-validator';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { sseContract, type EventsOf, type ReceivedEventsOf } from 'nestjs-eventstream/contract';
import { dto } from '../../docs/recipes/class-validator/dto.js';
import { ADAPTERS, serve } from '../support/serve.js';

class Item {
  @IsString() @MinLength(2) name!: string;
  @IsInt() @Min(1) count!: number;
}

class Created {
  @IsInt() no!: number;
  @IsString() @IsOptional() note: string = 'none';
  @IsDate() @Type(() => Date) at!: Date;
  @IsArray() @ValidateNested({ each: true }) @Type(() => Item) items!: Item[];
}

class Query {
  @IsInt() @Type(() => Number) limit!: number;
}

const orders = sseContract({
  path: 'orders/:customer/events',
  query: dto(Query),
  events: { created: dto(Created) },
});
type Events = EventsOf<typeof orders>;

@Controller()
class Orders {
  constructor(private readonly hub: Broadcaster<Events>) {}
  @SseStream(orders) stream(@Param('customer') customer: string) {
    return this.hub.stream(customer);
  }
}

const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

const created: Created = {
  no: 1,
  note: 'fast',
  at: new Date(0),
  items: [{ name: 'Mug', count: 2 }],
};

it.each(ADAPTERS)(
  'refuses a wrong payload with the paths of its problems, on %s',
  async (adapter) => {
    const app = await serve(Orders, { adapter, sse: { contract: orders } });
    const room = app.nest.get<Broadcaster<Events>>(Broadcaster).to('c1');
    const stream = app.open('/orders/c1/events?limit=1');
    await stream.until(({ text }) => text.includes('id: '));
    const wrong = {
      no: 1.5,
      at: 'soon',
      items: [
        { name: 'Mug', count: 1 },
        { name: 'x', count: 0 },
      ],
    };
    await expect(room.emit('created', wrong as never)).rejects.toMatchObject({
      code: 'SSE_INVALID_EVENT',
      problems: [
        { path: 'no', message: 'no must be an integer number' },
        { path: 'at', message: 'at must be a Date instance' },
        { path: 'items.1.name', message: 'name must be longer than or equal to 2 characters' },
        { path: 'items.1.count', message: 'count must not be less than 1' },
      ],
    });
    for (const value of [undefined, null, 'text', 7, [created]]) {
      await expect(room.emit('created', value as never)).rejects.toMatchObject({
        problems: [{ path: '', message: 'expected an object' }],
      });
    }
    await room.emit('created', created);
    expect(await stream.next()).toMatchObject({ type: 'created', data: { no: 1 } });
    const bad = await fetch(`${app.url}/orders/c1/events?limit=many`);
    expect([bad.status, await bad.json()]).toEqual([
      400,
      expect.objectContaining({ message: ['query.limit: limit must be an integer number'] }),
    ]);
  },
);

it('sends what the class says: defaults, and no further property', async () => {
  const app = await serve(Orders, { sse: { contract: orders } });
  const room = app.nest.get<Broadcaster<Events>>(Broadcaster).to('c1');
  const { note: _, ...rest } = created;
  const stream = app.open('/orders/c1/events?limit=1');
  await stream.until(({ text }) => text.includes('id: '));
  const given = { ...rest, margin: 3, items: [{ name: 'Mug', count: 2, cost: 1 }] };
  const before = structuredClone(given);
  await room.emit('created', given as never);
  expect(given).toEqual(before);
  const data: ReceivedEventsOf<typeof orders>['created'] = {
    no: 1,
    note: 'none',
    at: '1970-01-01T00:00:00.000Z',
    items: [{ name: 'Mug', count: 2 }],
  };
  const event = await stream.next();
  expect(event.data).toEqual(data);
});

it('gives a client that validates instances of the class', async () => {
  const app = await serve(Orders, { sse: { contract: orders } });
  const room = app.nest.get<Broadcaster<Events>>(Broadcaster).to('c1');
  const stream = connect(orders, {
    baseUrl: app.url,
    params: { customer: 'c1' },
    query: { limit: 1 },
    validate: true,
  });
  closing.push(stream.close);
  await new Promise<void>((resolve) => {
    stream.onState((state) => state === 'open' && resolve());
  });
  await room.emit('created', created);
  const data = await new Promise<Created>((resolve) => {
    stream.on('created', (event) => resolve(event.data));
  });
  expect(data).toBeInstanceOf(Created);
  expect(data).toEqual(created);
});
