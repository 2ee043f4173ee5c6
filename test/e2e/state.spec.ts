// State rooms over real sockets, on both adapters and both logs.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import {
  Broadcaster,
  SseStream,
  type Head,
  type SetOptions,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { collect } from 'nestjs-eventstream/testing';
import { delayWhen, map, Subject } from 'rxjs';
import { hubOf } from '../../lib/hub/hub.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { inPieces } from '../../lib/testing/in-pieces.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { Copy } from '../support/state-copy.js';
import type { TestStream } from '../support/stream-client.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('types') types(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { types: ['note'] });
  }
  @SseStream('filter') filter(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), {
      filter: ({ data }) => !String((data as { key?: string }).key).startsWith('secret'),
    });
  }
  @SseStream('operators') operators(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(',')).pipe(map((event) => event));
  }
  @SseStream('until') until(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { until: ['done'] });
  }
  readonly released = new Subject<void>();
  @SseStream('held') held(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(',')).pipe(delayWhen(() => this.released));
  }
  @SseStream('rewind') rewind(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { rewind: 10 });
  }
  @SseStream('own-ids') ownIds(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { lastEventId: false });
  }
  @SseStream('end') end(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { onGap: 'end' });
  }
  @SseStream('skip') skip(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), { onGap: 'skip' });
  }
  @SseStream('snapshot') snapshot(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','), {
      snapshot: async (reason) => [{ type: 'now', data: reason }],
    });
  }
}

type Log = SseModuleOptions['log'];
const NO_LOG = (): Log => undefined;

const set = (room: string, key: string, value: unknown) => ['sse-set', { room, key, value }];
const gone = (room: string, key: string) => ['sse-delete', { room, key }];
const state = (room: string, entries: number) => ['sse-state', { rooms: [room], entries }];
const heard = async (stream: TestStream, count: number): Promise<unknown[]> =>
  (await stream.take(count)).map(({ type, data }) => [type, data]);

async function start(adapter: Adapter, makeLog: () => Log, sse: SseModuleOptions = {}) {
  const serveOne = (): Promise<TestApp> =>
    serve(Streams, { adapter, sse: { log: makeLog(), history: { maxEvents: 5 }, ...sse } });
  const app = await serveOne();
  const { hub } = app.nest.get(Streams);
  // On Redis clients come to another process, which begins later: it knows only what the log keeps.
  let reader: TestApp | undefined;
  const readers = async (): Promise<TestApp> =>
    (reader ??= makeLog() === undefined ? app : await serveOne());
  const open = async (path: string, lastEventId?: string): Promise<TestStream> =>
    (await readers()).open(path, { headers: lastEventId ? { 'last-event-id': lastEventId } : {} });
  const other = async (): Promise<Broadcaster> => (await readers()).nest.get(Streams).hub;
  return { hub, open, other };
}

/** Its process hears of no event. */
class DeafLog extends MemoryEventLog {
  override follow(): Promise<Head> {
    return this.head();
  }
}

function states(adapter: Adapter, makeLogs: () => () => Log): void {
  it('gives a new reader the state, then each change', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    await prices.set('ACME', 1);
    await prices.set('EVIL', { bid: 2 });
    const last = await prices.set('ACME', 3);
    const stream = await open('/rooms?rooms=prices');
    expect(await heard(stream, 3)).toEqual([
      state('prices', 2),
      set('prices', 'EVIL', { bid: 2 }),
      set('prices', 'ACME', 3),
    ]);
    expect(stream.events.map(({ id }) => id)).toEqual([undefined, undefined, undefined]);
    await stream.until(({ cursor }) => cursor === last);
    const deleted = await prices.delete('EVIL');
    expect(await heard(stream, 1)).toEqual([gone('prices', 'EVIL')]);
    expect(stream.cursor).toBe(deleted);
  });

  it('begins with the first entry that a room ever has', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const stream = await open('/rooms?rooms=prices');
    await stream.until(({ cursor }) => cursor !== undefined);
    await hub.state('prices').set('ACME', 1);
    expect(await heard(stream, 1)).toEqual([set('prices', 'ACME', 1)]);
    const later = await open('/rooms?rooms=prices');
    expect(await heard(later, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 1)]);
  });

  it('resumes without the state, where all changes are kept', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('a', 1);
    await prices.set('b', 2);
    await prices.delete('a');
    const stream = await open('/rooms?rooms=prices', first);
    expect(await heard(stream, 2)).toEqual([set('prices', 'b', 2), gone('prices', 'a')]);
  });

  it('never has a gap: who missed more than is kept gets the state', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('gone', 0);
    for (let n = 0; n < 20; n++) await prices.set(`key ${n % 3}`, n);
    await prices.delete('gone');
    const stream = await open('/rooms?rooms=prices', first);
    expect(await heard(stream, 4)).toEqual([
      state('prices', 3),
      set('prices', 'key 2', 17),
      set('prices', 'key 0', 18),
      set('prices', 'key 1', 19),
    ]);
    await prices.set('key 0', 20);
    expect(await heard(stream, 1)).toEqual([set('prices', 'key 0', 20)]);
  });

  it('never has a gap for a cursor of another lifetime, or of none', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    await hub.state('prices').set('ACME', 1);
    for (const cursor of ['1.AAAAAAAA.zzz', 'nonsense']) {
      const stream = await open('/rooms?rooms=prices', cursor);
      expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 1)]);
    }
  });

  it('tells the gap of plain events of the room, then gives the state', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('ACME', 1);
    await hub.to('prices').emit('note', 'lost');
    for (let n = 0; n < 9; n++) await prices.set('ACME', n);
    const stream = await open('/rooms?rooms=prices', first);
    expect(await heard(stream, 3)).toEqual([
      ['sse-gap', { rooms: ['prices'], reason: 'trimmed' }],
      state('prices', 1),
      set('prices', 'ACME', 8),
    ]);
    await stream.until(({ cursor }) => cursor !== undefined && cursor !== first);
    const later = await open('/rooms?rooms=prices', stream.cursor);
    await later.until(({ text }) => text.includes('connected'));
    await hub.to('prices').emit('note', 'kept');
    expect(await heard(later, 1)).toEqual([['note', 'kept']]);
  });

  it('ends no stream for a gap that a state closes', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('ACME', 0);
    for (let n = 0; n < 9; n++) await prices.set('ACME', n);
    const stream = await open('/end?rooms=prices', first);
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 8)]);
    await prices.set('ACME', 9);
    expect(await heard(stream, 1)).toEqual([set('prices', 'ACME', 9)]);
  });

  it.each(['rooms', 'skip'])('leaves other rooms to their history, with %s', async (kind) => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('ACME', 0);
    await hub.to('news').emit('note', 'one');
    for (let n = 0; n < 9; n++) await prices.set('ACME', n);
    await hub.to('news').emit('note', 'two');
    const stream = await open(`/${kind}?rooms=news,prices`, first);
    expect(await heard(stream, 4)).toEqual([
      state('prices', 1),
      set('prices', 'ACME', 8),
      ['note', 'one'],
      ['note', 'two'],
    ]);
  });

  it('empties the copy of a client whose room has nothing left', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const first = await prices.set('a', 1);
    for (let n = 0; n < 9; n++) await prices.set('b', n);
    await prices.delete('a');
    await prices.delete('b');
    const stream = await open('/rooms?rooms=prices', first);
    expect(await heard(stream, 1)).toEqual([state('prices', 0)]);
  });

  it('empties the copy of a client whose log is gone, if there is no entry yet', async () => {
    const { open } = await start(adapter, makeLogs(), { state: {} });
    const stream = await open('/rooms?rooms=prices,typing', '1.AAAAAAAA.zzz');
    expect(await heard(stream, 2)).toEqual([
      ['sse-gap', { rooms: ['prices', 'typing'], reason: 'epoch' }],
      ['sse-state', { rooms: ['prices', 'typing'], entries: 0 }],
    ]);
  });

  it.each(['operators', 'own-ids', 'types'])('is the same with %s', async (kind) => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    await prices.set('a', 1);
    const stream = await open(`/${kind}?rooms=prices`);
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'a', 1)]);
    await prices.set('a', 2);
    await prices.delete('a');
    expect(await heard(stream, 2)).toEqual([set('prices', 'a', 2), gone('prices', 'a')]);
  });

  it('gives the state after a snapshot, and no change again after a rewind', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    await prices.set('a', 1);
    await hub.to('prices').emit('note', 'plain');
    await prices.set('a', 2);
    const seen = await open('/snapshot?rooms=prices');
    expect(await heard(seen, 3)).toEqual([
      ['now', 'fresh'],
      state('prices', 1),
      set('prices', 'a', 2),
    ]);
    const rewound = await open('/rewind?rooms=prices');
    expect(await heard(rewound, 3)).toEqual([
      state('prices', 1),
      set('prices', 'a', 2),
      ['note', 'plain'],
    ]);
  });

  it('counts only the entries that pass the filter of the stream', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    await prices.set('secret', 1);
    await prices.set('open', 2);
    const stream = await open('/filter?rooms=prices');
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'open', 2)]);
    await prices.set('secret', 3);
    await prices.set('open', 4);
    expect(await heard(stream, 1)).toEqual([set('prices', 'open', 4)]);
  });

  it('ends an entry once its ttl is over', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const typing = hub.state('typing');
    await typing.set('bob', true);
    const stream = await open('/rooms?rooms=typing');
    expect(await heard(stream, 2)).toEqual([state('typing', 1), set('typing', 'bob', true)]);
    await typing.set('ann', true, { ttlMs: 300 });
    expect(await heard(stream, 2)).toEqual([set('typing', 'ann', true), gone('typing', 'ann')]);
    expect(await typing.get('ann')).toBeUndefined();
  });

  it('changes an entry on a condition, or rejects with the position that is there', async () => {
    const { hub } = await start(adapter, makeLogs());
    const cart = hub.state<Record<string, number>>('cart');
    const first = await cart.set('apples', 1, { ifAbsent: true });
    expect(await cart.get('apples')).toEqual({ value: 1, position: first, key: 'apples' });
    const second = await cart.set('apples', 2, { ifPosition: first });
    const conflict = { code: 'SSE_CONFLICT', room: 'cart', key: 'apples', position: second };
    await expect(cart.set('apples', 3, { ifPosition: first })).rejects.toMatchObject(conflict);
    await expect(cart.set('apples', 3, { ifAbsent: true })).rejects.toMatchObject(conflict);
    await expect(cart.delete('apples', { ifPosition: first })).rejects.toMatchObject(conflict);
    expect((await cart.entries()).entries.map(({ value }) => value)).toEqual([2]);
    await cart.delete('apples', { ifPosition: second });
    expect(await cart.delete('apples')).toBe('');
    await expect(cart.set('apples', 3, { ifPosition: second })).rejects.toMatchObject({
      ...conflict,
      position: undefined,
    });
  });

  it('ends at once for a client of a job that is done, although an entry ended later', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const job = hub.state('job');
    await job.set('progress', 50);
    await hub.to('job').emit('done', {});
    await job.delete('progress');
    const stream = await open('/until?rooms=job');
    expect(await heard(stream, 1)).toEqual([state('job', 0)]);
    await stream.ended;
    await hub.to('job').emit('again', {});
    const other = await open('/until?rooms=job');
    expect(await heard(other, 1)).toEqual([state('job', 0)]);
    await job.set('progress', 0);
    // Its process may hear of `again` only now.
    const data = { room: 'job', key: 'progress', value: 0 };
    expect(await other.next('sse-set')).toMatchObject({ data });
  });

  it('gives entries and a cursor that continue each other', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    expect((await prices.entries()).entries).toEqual([]);
    const a = await prices.set('a', 1);
    const b = await prices.set('b', 2);
    const { entries, cursor } = await prices.entries();
    expect(entries).toEqual([
      { key: 'a', value: 1, position: a },
      { key: 'b', value: 2, position: b },
    ]);
    await prices.set('a', 3);
    const stream = await open('/rooms?rooms=prices', cursor);
    expect(await heard(stream, 1)).toEqual([set('prices', 'a', 3)]);
  });

  it('gives the state to a subscription without a connection', async () => {
    const { hub, other } = await start(adapter, makeLogs());
    await hub.state('prices').set('ACME', 1);
    const events = await collect((await other()).stream('prices', { connection: false }), 2);
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      state('prices', 1),
      set('prices', 'ACME', 1),
    ]);
  });

  it('gives a large state whole, while changes go on', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const expected: Record<string, unknown> = {};
    for (let n = 0; n < 3_000; n++) {
      expected[`key ${n}`] = n;
      if (n % 100 === 99) await prices.set(`key ${n}`, n);
      else void prices.set(`key ${n}`, n);
    }
    const stream = await open('/rooms?rooms=prices');
    const copy = new Copy();
    let changes = 0;
    const change = async (): Promise<void> => {
      const key = `key ${(changes * 7) % 3_000}`;
      if (changes++ % 3 === 0) {
        delete expected[key];
        await prices.delete(key);
      } else {
        expected[key] = -changes;
        await prices.set(key, -changes);
      }
    };
    for (let n = 0; n < 600; n++) await change();
    const last = await prices.set('last', true);
    expected['last'] = true;
    await stream.until(({ cursor }) => cursor === last);
    for (const event of stream.events) copy.take(event);
    expect(copy.of('prices')).toEqual(expected);
    expect(copy.gaps).toEqual([]);
  });

  it('tells a newcomer that its rooms have no entry yet', async () => {
    const { hub, open } = await start(adapter, makeLogs(), { state: {} });
    const empty = (...rooms: string[]): unknown => ['sse-state', { rooms, entries: 0 }];
    const first = await open('/rooms?rooms=none,nothing');
    expect(await heard(first, 1)).toEqual([empty('none', 'nothing')]);
    await hub.state('prices').set('ACME', 1);
    // The process of the readers has heard of the entry, which is the first one of all.
    await hub.to('nothing').emit('note', 'heard');
    expect(await heard(first, 1)).toEqual([['note', 'heard']]);
    const second = await open('/rooms?rooms=none,prices');
    const expected = [state('prices', 1), set('prices', 'ACME', 1), empty('none')];
    expect(await heard(second, 3)).toEqual(expected);
    await hub.state('none').set('a', 2);
    expect(await heard(first, 1)).toEqual([set('none', 'a', 2)]);
    expect(await heard(second, 1)).toEqual([set('none', 'a', 2)]);
  });

  it('gives a large state to a client that stops reading, while changes go on', async () => {
    const { hub, open } = await start(adapter, makeLogs());
    const prices = hub.state('prices');
    const padding = 'x'.repeat(2_000);
    const setAll = async (value: string): Promise<void> => {
      const keys = Array.from({ length: 4_000 }, (_, n) => `key ${n}`);
      await inPieces(keys, (key) => prices.set(key, `${value} ${padding}`));
    };
    await setAll('old');
    const stream = await open('/rooms?rooms=prices');
    await stream.next('sse-state');
    stream.pause();
    // More than a client may have waiting, of changes that replace each other.
    await setAll('newer');
    for (let n = 0; n < 100; n++) await prices.set('last', n);
    stream.resume();
    await stream.until(({ events }) => events.filter(({ id }) => id === undefined).length > 4_000);
    const copy = new Copy();
    for (const event of stream.events) copy.take(event);
    expect(Object.keys(copy.of('prices')).length).toBeGreaterThanOrEqual(4_000);
    expect(stream.text).not.toContain('sse-gap');
  });

  it.each([
    ['', 1, {}, 'SSE_INVALID_FIELD', 'key: expected a text of 1 to 512 characters'],
    ['k'.repeat(513), 1, {}, 'SSE_INVALID_FIELD', 'key: expected a text of 1 to 512 characters'],
    ['a\nb', 1, {}, 'SSE_INVALID_FIELD', 'key: must not contain a line break or NUL'],
    ['a\0', 1, {}, 'SSE_INVALID_FIELD', 'key: must not contain a line break or NUL'],
    ['\ud800', 1, {}, 'SSE_INVALID_FIELD', 'key: must not contain a lone surrogate'],
    ['a', undefined, {}, 'SSE_SERIALIZE', 'the value of "a" is undefined, which JSON leaves out'],
    ['a', () => 1, {}, 'SSE_SERIALIZE', 'the value of "a" is a function, which JSON leaves out'],
    ['a', 1n, {}, 'SSE_SERIALIZE', 'serialize a BigInt'],
    ['a', 1, { ttlMs: 0 }, 'SSE_OPTIONS', 'set().ttlMs: expected a positive integer'],
    ['a', 1, { ttlMs: 2 ** 31 }, 'SSE_OPTIONS', 'set().ttlMs: expected at most 2147483647'],
    ['a', 1, { ttl: 5 }, 'SSE_OPTIONS', 'set().ttl: no such option; did you mean ttlMs?'],
    ['a', 1, { ifPosition: 'x' }, 'SSE_OPTIONS', 'a position that get() or set() returned'],
    ['a', 1, { ifPosition: '1.e.1', ifAbsent: true }, 'SSE_INVALID_FIELD', 'set one of the two'],
  ])('refuses the key %j with %p and %j', async (key, value, options, code, text) => {
    const { hub } = await start(adapter, makeLogs());
    const room = hub.state('prices');
    await expect(room.set(key, value, options as SetOptions)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
    expect((await room.entries()).entries).toEqual([]);
  });

  it('refuses what is beyond a limit, and keeps all that is there', async () => {
    const sse = { state: { maxKeys: 2, maxBytes: 4_000 }, limits: { maxEventBytes: 5_000 } };
    const { hub, open } = await start(adapter, makeLogs(), sse);
    const room = hub.state('prices');
    await room.set('a', 1);
    await room.set('b', 1);
    await expect(room.set('c', 1)).rejects.toMatchObject({
      code: 'SSE_LIMIT',
      limit: 'state.maxKeys',
    });
    await expect(room.set('b', 'x'.repeat(4_000))).rejects.toMatchObject({
      code: 'SSE_LIMIT',
      limit: 'state.maxBytes',
    });
    await expect(room.set('b', 'x'.repeat(5_000))).rejects.toMatchObject({
      code: 'SSE_LIMIT',
      limit: 'maxEventBytes',
    });
    await room.set('b', 2);
    await room.delete('a');
    await room.set('c', 3);
    const stream = await open('/rooms?rooms=prices');
    expect(await heard(stream, 3)).toEqual([
      state('prices', 2),
      set('prices', 'b', 2),
      set('prices', 'c', 3),
    ]);
  });
}

describe.each(ADAPTERS)('a state room in memory, on %s', (adapter) => {
  states(adapter, () => NO_LOG);

  it('gives the state to a client that is ahead of its process', async () => {
    const log: Log = ({ history }) => new DeafLog(history);
    const app = await serve(Streams, { adapter, sse: { log, history: { maxEvents: 5 } } });
    const prices = app.nest.get(Streams).hub.state('prices');
    const first = await prices.set('ACME', 0);
    for (let n = 1; n < 9; n++) await prices.set('ACME', n);
    const stream = app.open('/rooms?rooms=prices', { headers: { 'last-event-id': first } });
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 8)]);
  });

  it('sends no change that operators have held back beyond a state', async () => {
    const app = await serve(Streams, { adapter, sse: { history: { maxEvents: 5 } } });
    const { hub, released } = app.nest.get(Streams);
    const prices = hub.state('prices');
    await prices.set('ACME', 0);
    const stream = app.open('/held?rooms=prices');
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 0)]);
    await prices.set('ACME', 1);
    hubOf(hub).delivery.lost({ rooms: ['prices'], reason: 'trimmed' });
    expect(await heard(stream, 2)).toEqual([state('prices', 1), set('prices', 'ACME', 1)]);
    await prices.set('ACME', 2);
    released.next();
    expect(await heard(stream, 1)).toEqual([set('prices', 'ACME', 2)]);
  });

  it('needs history', async () => {
    const { hub } = await start(adapter, NO_LOG, { history: false });
    expect(() => hub.state('prices')).toThrow('state() needs history; remove `history: false`');
  });
});

describeRedis('a state room on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  states('express', () => {
    const prefix = randomUUID();
    return () => redisEventLog({ url: redis.url, prefix });
  });
});
