// What readers see of an event is what was published, whoever changes what afterwards, and the same
// on each log.
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS, type HubOptions, type PublishedEvent } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { firstValueFrom, take, toArray } from 'rxjs';
import type { EventLogFactory } from '../../lib/log/event-log-factory.js';
import { Hub } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { STATE_DEFAULTS } from '../../lib/log/state.options.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';

const hubs: Hub[] = [];
afterEach(() => Promise.all(hubs.splice(0).map((hub) => hub.close())));

function cases(log: () => EventLogFactory): void {
  const open = async (options: HubOptions = {}): Promise<Hub> => {
    const { serialize } = options;
    const history = SSE_DEFAULTS.history;
    const hub = new Hub(log()({ name: '', history, state: STATE_DEFAULTS, serialize }), options);
    hubs.push(hub);
    await hub.start();
    return hub;
  };
  const past = async (hub: Hub, room = 'a'): Promise<PublishedEvent[]> =>
    (await hub.history(room)).events;
  const dataOf = async (hub: Hub): Promise<unknown[]> => (await past(hub)).map(({ data }) => data);

  it('is what it was when it was published, live and in history', async () => {
    const hub = await open();
    const live = firstValueFrom(hub.stream('a').pipe(take(3), toArray()));
    const order = { no: 1, lines: [{ what: 'tea' }] };
    const bytes = Buffer.from('abc');
    const comment = ['first'];
    const rooms = ['a'];
    const published = [
      hub.to(...rooms).emit('order', order),
      hub.publish(rooms, { data: bytes, comment }),
      hub.publish(rooms, { data: order.lines }),
    ];
    order.no = 2;
    order.lines[0]!.what = 'coffee';
    order.lines.push({ what: 'milk' });
    bytes.fill(0);
    comment.push('second');
    rooms.push('b');
    await Promise.all(published);
    const expected = [{ no: 1, lines: [{ what: 'tea' }] }, Buffer.from('abc'), [{ what: 'tea' }]];
    expect((await live).map(({ data }) => data)).toEqual(expected);
    expect(await dataOf(hub)).toEqual(expected);
    expect((await past(hub)).map((event) => [event.comment, event.rooms])).toEqual([
      [undefined, ['a']],
      [['first'], ['a']],
      [undefined, ['a']],
    ]);
  });

  it('is what JSON makes of it', async () => {
    const hub = await open();
    class Money {
      constructor(
        readonly amount: number,
        readonly currency: string | undefined,
      ) {}
    }
    const values: [unknown, unknown][] = [
      [{ at: new Date(0), none: undefined }, { at: '1970-01-01T00:00:00.000Z' }],
      [new Money(5, undefined), { amount: 5 }],
      [new Map([[1, 2]]), {}],
      [{ toJSON: () => 'as it says' }, 'as it says'],
      [
        [undefined, Number.NaN, -0],
        [null, null, 0],
      ],
      [Number.NaN, null],
      [7, 7],
      [false, false],
      [null, null],
      ['a text\r\nof two lines', 'a text\r\nof two lines'],
      ['', ''],
      [new Date(0), '1970-01-01T00:00:00.000Z'],
      [
        { text: 'data: x\ndata: y\n\n', lone: '\ud800' },
        { text: 'data: x\ndata: y\n\n', lone: '\ud800' },
      ],
      [new Uint8Array([0, 255]), Buffer.from([0, 255])],
    ];
    for (const [data] of values) await hub.publish('a', { data, retry: 7 });
    expect(await dataOf(hub)).toStrictEqual(values.map(([, expected]) => expected));
    const [first] = await past(hub);
    expect(Object.getPrototypeOf((await past(hub))[1]?.data)).toBe(Object.prototype);
    expect({ ...first }).toMatchObject({ data: values[0]![1], retry: 7 });
    expect(inspect(first)).toContain("at: '1970-01-01T00:00:00.000Z'");
  });

  it('is what JSON makes of it where the hub has its own serializer', async () => {
    const hub = await open({ serialize: (data) => `<${typeof data}/>` });
    const at = '1970-01-01T00:00:00.000Z';
    const order = { no: 1, at: new Date(at) };
    const published = [order, order.at, 10n].map((data) => hub.publish('a', { data }));
    order.no = 2;
    order.at.setTime(1);
    await Promise.all(published);
    // Of a BigInt there is only the text.
    expect(await dataOf(hub)).toEqual([{ no: 1, at }, at, undefined]);
  });

  it('is the same for each reader, whatever another one does with it', async () => {
    const hub = await open();
    const failures: unknown[] = [];
    const changes: ((event: PublishedEvent) => void)[] = [
      ({ data }) => Object.assign(data as object, { no: 9 }),
      ({ data }) => (data as { lines: unknown[] }).lines.push('more'),
      (event) => Object.assign(event, { data: 'another' }),
      (event) => Object.assign(event, { type: 'another' }),
      ({ rooms }) => (rooms as string[]).push('b'),
    ];
    for (const change of changes) {
      hub.stream('a', { filter: (event) => (change(event), true) }).subscribe({
        error: (error: unknown) => failures.push(error),
      });
    }
    hub.stream('a').subscribe(({ data }) => data instanceof Uint8Array && data.fill(0));
    const seen = firstValueFrom(hub.stream('a').pipe(take(1), toArray()));
    await hub.to('a').emit('order', { no: 1, lines: [] });
    expect(await seen).toMatchObject([{ type: 'order', data: { no: 1, lines: [] }, rooms: ['a'] }]);
    // It is said to whoever tries, and to nobody else.
    expect(failures).toHaveLength(changes.length);
    for (const failure of failures) expect(failure).toBeInstanceOf(TypeError);
    const bytes = firstValueFrom(hub.stream('a'));
    await hub.to('a').emit('bytes', Buffer.from('abc'));
    expect((await bytes).data).toEqual(Buffer.from('abc'));
    expect((await dataOf(hub))[1]).toEqual(Buffer.from('abc'));
  });

  it('has no lone surrogates, as on the wire, and rooms with one are refused', async () => {
    const hub = await open();
    const live = firstValueFrom(hub.stream('a').pipe(take(1), toArray()));
    await hub.publish('a', { data: 'x\ud800y', comment: ['\udc00'], type: 'ж' });
    const clean = { data: 'x\ufffdy', comment: ['\ufffd'], type: 'ж' };
    expect(await live).toMatchObject([clean]);
    expect(await past(hub)).toMatchObject([clean]);

    const refused = {
      code: 'SSE_INVALID_FIELD',
      message: expect.stringMatching(/lone surrogate; encode/) as unknown,
    };
    const lone = '\ud800';
    const calls: [string, () => Promise<unknown>][] = [
      ['room', () => hub.to(lone).emit('n', 'secret')],
      ['room', () => hub.history(lone)],
      ['room', async () => hub.stream(['a', lone])],
      ['type', () => hub.to('a').emit(lone, 1)],
      ['key', () => hub.to('a').emit('n', 1, { key: lone })],
    ];
    for (const [field, call] of calls)
      await expect(call()).rejects.toMatchObject({ ...refused, field });
    // Who only looks finds nobody.
    hub.closeRoom(lone);
    expect(hub.size(lone)).toBe(0);
    expect(await past(hub, '\ufffd')).toEqual([]);
  });
}

describe('a published event, in memory', () => {
  cases(
    () =>
      ({ history }) =>
        new MemoryEventLog(history),
  );
});

describeRedis('a published event, on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  cases(() => redisEventLog({ url: server.url, prefix: randomUUID() }));
});
