import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger, Controller, Get, Query } from '@nestjs/common';
import net from 'node:net';
import {
  bufferTime,
  concatMap,
  delay,
  filter,
  firstValueFrom,
  map,
  merge,
  mergeMap,
  Subject,
  toArray,
  take,
} from 'rxjs';
import {
  Broadcaster,
  InjectBroadcaster,
  LastEventId,
  SseConnections,
  SseError,
  SseModule,
  SseStream,
  type EventLog,
  type HubStreamOptions,
  type SseMessage,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { Deferred } from '../../lib/ground/deferred.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import type { StreamClient } from '../support/stream-client.js';

/** Set by the test that asks for `/stream`. */
let options: HubStreamOptions<Record<string, unknown>> = {};

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('stream') stream(@Query('rooms') rooms = 'main') {
    return this.hub.stream(rooms.split(','), options);
  }
  @Get('position') position() {
    return this.hub.position();
  }
}

async function start(adapter: Adapter, sse: SseModuleOptions = {}) {
  const app = await serve(Streams, { adapter, sse });
  const { hub } = app.nest.get(Streams);
  const open = (path: string, lastEventId?: string): StreamClient =>
    app.open(path, lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } });
  const emit = (room: string, n: number): Promise<string> => hub.to(room).emit('n', n);
  const emitAll = async (room: string, from: number, to: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = from; n <= to; n++) ids.push(await emit(room, n));
    return ids;
  };
  const begun = async (stream: StreamClient): Promise<StreamClient> => {
    await stream.until((text) => /^(: connected\nretry: \d+\n\n)(id: .*\n\n)?$/m.test(text));
    return stream;
  };
  return { app, hub, open, emit, emitAll, begun };
}

const numbers = async (stream: StreamClient, count: number): Promise<number[]> =>
  (await stream.take(count)).map(({ data }) => Number(data));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);
/** The last event ID that a client of this stream has, also from blocks without data. */
const lastId = (text: string): string | undefined => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
const gap = (rooms: string[], reason: string) => ({
  event: 'sse-gap',
  id: undefined,
  data: JSON.stringify({ rooms, reason }),
});

describe.each(ADAPTERS)('a client that returns (%s)', (adapter) => {
  // feature: 46
  it('gets exactly what it missed and then what comes, in order, while events are published', async () => {
    const { open, emit, emitAll } = await start(adapter);
    const ids = await emitAll('main', 1, 10);
    const stream = open('/stream', ids[3]);
    for (const n of range(11, 20)) await emit('main', n);
    expect(await numbers(stream, 16)).toEqual(range(5, 20));
    expect(stream.text).not.toContain('sse-gap');
  });

  // feature: 93
  it('by the query goes on as by the header, as a page does that was rendered before it connected', async () => {
    const { app, emit, emitAll } = await start(adapter);
    await emit('main', 1);
    const position = await app.open('/position').ended;
    await emitAll('main', 2, 3);
    expect(await numbers(app.open(`/stream?lastEventId=${position}`), 2)).toEqual([2, 3]);
  });

  // feature: 9
  it('without having got an event goes on after the id of the opening', async () => {
    const { open, emit, emitAll, begun } = await start(adapter);
    await emit('main', 1);
    const stream = await begun(open('/stream'));
    expect(stream.text).toMatch(/^: connected\nretry: \d+\n\nid: 1\.[\w-]{8}\.\w+\n\n$/);
    stream.abort();
    await emitAll('main', 2, 3);
    expect(await numbers(open('/stream', lastId(stream.text)), 2)).toEqual([2, 3]);
  });

  it('gets nothing of other rooms, whatever it brings, and no gap for a busy neighbour', async () => {
    const { open, emit, emitAll } = await start(adapter, { history: { maxEvents: 5 } });
    const first = await emit('quiet', 1);
    await emitAll('busy', 100, 200);
    await emit('quiet', 2);
    const stream = open('/rooms?rooms=quiet', first);
    expect(await numbers(stream, 1)).toEqual([2]);
    await emit('quiet', 3);
    expect(await numbers(stream, 1)).toEqual([3]);
    expect(stream.events).toHaveLength(2);
  });

  // feature: 52
  it('gets a long replay in slices: not all of it is handed to the socket at once', async () => {
    const { app, open, emitAll } = await start(adapter);
    const ids = await emitAll('main', 0, 300);
    const writes: number[] = [];
    const { write } = net.Socket.prototype as unknown as {
      write: (this: net.Socket, chunk: unknown) => boolean;
    };
    jest.spyOn(net.Socket.prototype, 'write').mockImplementation(function (
      this: net.Socket,
      chunk: unknown,
    ) {
      if (this.localPort === app.port) writes.push((chunk as Buffer).length);
      return write.call(this, chunk);
    });
    const stream = open('/stream', ids[0]);
    expect(await numbers(stream, 300)).toEqual(range(1, 300));
    jest.restoreAllMocks();
    expect(Math.max(...writes)).toBeLessThan(stream.text.length / 2);
  });

  // feature: 52
  it('and reads its replay slowly does not hold up who publishes', async () => {
    const { hub, open, emitAll } = await start(adapter);
    const ids: string[] = [];
    for (let n = 0; n < 900; n++) {
      ids.push(await hub.publish('main', { data: `${n} ${'x'.repeat(1_000)}` }));
    }
    const slow = open('/stream', ids[0]);
    await slow.until((text) => text.includes('data: 1 '));
    slow.pause();
    // It stands still all the while. What a call takes of the thread, `npm run bench -- slow-reader` measures.
    for (let n = 0; n < 1_000; n++) await hub.to('main').emit('n', n);
    expect(slow.events.length).toBeLessThan(899);
    slow.resume();
    await slow.until(() => slow.events.length === 899 + 1_000);
    const seen = slow.events.map(({ data }) => Number.parseInt(data));
    expect(seen).toEqual([...range(1, 899), ...range(0, 999)]);
    await emitAll('main', 1, 1);
    expect(slow.text).not.toContain('sse-gap');
  });

  // feature: 61
  it('to several rooms gets an event of two of them once, in the order of the hub', async () => {
    const { hub, open, emit } = await start(adapter);
    const first = await emit('a', 0);
    await emit('b', 1);
    await hub.to('a', 'b').emit('n', 2);
    await emit('a', 3);
    const stream = open('/rooms?rooms=b,a', first);
    expect(await numbers(stream, 3)).toEqual([1, 2, 3]);
    await hub.to('b', 'a').emit('n', 4);
    await emit('a', 5);
    expect(await numbers(stream, 2)).toEqual([4, 5]);
  });

  // feature: 50
  it.each([
    ['nonsense', 'unknown'],
    ['1.x.', 'unknown'],
    ['2.abcdefgh.hocqx6mqcw', 'unknown'],
    ['x'.repeat(10_000), 'unknown'],
    ['1.abcdefgh.zzzzzzzzzzz', 'unknown'],
    ['1.abcdefgh.hocqx6mqcw', 'epoch'],
    ['1.abcdefgh.hocqx6mqcw~1.ijklmnop.hocqx6mqcw', 'epoch'],
    ['ä✓', 'unknown'],
  ])('with %.30s is told so at once and goes live', async (cursor, reason) => {
    const { open, emit, emitAll } = await start(adapter);
    await emitAll('main', 1, 3);
    const stream = open('/stream', Buffer.from(cursor).toString('latin1'));
    expect(await stream.next()).toEqual(gap(['main'], reason));
    await emit('main', 4);
    expect(await numbers(stream, 1)).toEqual([4]);
    expect(stream.events).toHaveLength(2);
  });

  // feature: 50
  it('with a cursor ahead of the head, doubled or cut is told so, too', async () => {
    const { open, emit } = await start(adapter);
    const id = await emit('main', 1);
    const [, epoch, position = ''] = id.split('.');
    const ahead = `1.${epoch}.${(Number.parseInt(position, 36) + 1e9).toString(36)}`;
    // What is left of a cut cursor is a position from before the log began.
    for (const cursor of [ahead, `${id}${id}`, `${id}~`, `0${id}`, id.slice(0, -4)]) {
      expect(await open('/stream', cursor).next()).toEqual(gap(['main'], 'unknown'));
    }
  });

  describe('after more than is kept', () => {
    const trimmed = async (onGap?: 'tail' | 'skip' | 'end') => {
      options = { onGap };
      const world = await start(adapter, { history: { maxEvents: 5 } });
      const { emit, emitAll, open } = world;
      const [first] = await emitAll('busy', 1, 10);
      await emitAll('quiet', 100, 102);
      const stream = open('/stream?rooms=busy,quiet', first);
      expect(await stream.next()).toEqual(gap(['busy'], 'trimmed'));
      return { ...world, emit, stream };
    };
    afterEach(() => {
      options = {};
    });

    // feature: 50
    it('is told, gets what it missed in the other rooms, and goes live', async () => {
      const { stream, emit } = await trimmed();
      expect(await numbers(stream, 3)).toEqual([100, 101, 102]);
      await emit('busy', 11);
      expect(await numbers(stream, 1)).toEqual([11]);
    });

    // feature: 50
    it('goes live at once with onGap: skip', async () => {
      const { stream, emit } = await trimmed('skip');
      await stream.until((text) => lastId(text) !== undefined);
      await emit('quiet', 103);
      expect(await numbers(stream, 1)).toEqual([103]);
    });

    // feature: 50
    it('is at the end with onGap: end', async () => {
      const { stream } = await trimmed('end');
      await stream.ended;
      expect(stream.events).toHaveLength(1);
    });

    it('goes on from there: the gap is told once', async () => {
      const { stream, open } = await trimmed();
      await numbers(stream, 3);
      const cursor = lastId(
        await stream.until((text) => /data: 102\nid: .*\n\nid: .*\n\n$/.test(text)),
      );
      const back = open('/stream?rooms=busy,quiet', cursor);
      await back.until((text) => lastId(text) !== undefined);
      expect(back.events).toEqual([]);
    });
  });

  // feature: 50
  it('is told of rooms that missed more than one replay carries; smaller ones are replayed', async () => {
    const { open, emit, emitAll } = await start(adapter, { history: { maxEvents: 3_000 } });
    const first = await emit('small', 0);
    await emitAll('large', 1, 1_001);
    await emit('small', 2_000);
    const stream = open('/rooms?rooms=large,small', first);
    expect(await stream.next()).toEqual(gap(['large'], 'overflow'));
    expect(await numbers(stream, 1)).toEqual([2_000]);
  });

  // feature: 52
  it('after everything was let go by age is told, unless nothing had come', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const { hub, open, emit } = await start(adapter, { history: { maxAgeMs: 60_000 } });
      const before = await emit('main', 1);
      const after = await emit('main', 2);
      jest.advanceTimersByTime(60_000);
      expect(await hub.history('main')).toEqual({ events: [], covered: true, hasMore: false });
      expect(await open('/stream', before).next()).toEqual(gap(['main'], 'trimmed'));
      const uptodate = open('/stream', after);
      await uptodate.until((text) => lastId(text) === after);
      expect(uptodate.events).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });

  // feature: 71
  it('whose log is away is told to come back later, in the one way that a browser does', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    class AwayLog extends MemoryEventLog {
      override async head(): Promise<never> {
        throw new SseError('SSE_LOG_UNAVAILABLE', 'the log is away');
      }
    }
    const { open } = await start(adapter, { log: ({ history }): EventLog => new AwayLog(history) });
    const stream = open('/stream', '1.abcdefgh.hocqx6mqcw');
    expect((await stream.response).status).toBe(200);
    expect(await stream.ended).toMatch(/^retry: \d+\n\n$/);
    expect(warn).toHaveBeenCalledWith(
      expect.objectContaining({ event: 'refuse', reason: 'log', trouble: 'the log is away' }),
    );
    warn.mockRestore();
  });
});

describe.each(ADAPTERS)('a client that connects for the first time (%s)', (adapter) => {
  afterEach(() => {
    options = {};
  });

  // feature: 53
  it.each([
    ['the last three events', { rewind: 3 }, [8, 9, 10]],
    ['no more than there are', { rewind: 500 }, range(1, 10)],
    ['the events of the last minute', { rewind: { ms: 60_000 } }, range(1, 10)],
  ])('gets %s with rewind, then what comes', async (_title, rewind, expected) => {
    options = rewind;
    const { open, emit, emitAll } = await start(adapter);
    await emitAll('main', 1, 10);
    const stream = open('/stream');
    expect(await numbers(stream, expected.length)).toEqual(expected);
    await emit('main', 11);
    expect(await numbers(stream, 1)).toEqual([11]);
  });

  // feature: 48
  // fault: 17
  it('gets a snapshot and then exactly what was published after it was asked for', async () => {
    const asked = new Subject<void>();
    const answer = new Subject<SseMessage[]>();
    options = {
      snapshot: (reason, rooms) => {
        const result = firstValueFrom(answer);
        asked.next();
        return result.then((messages) => [{ type: 'state', data: { reason, rooms } }, ...messages]);
      },
    };
    const { open, emit, emitAll } = await start(adapter);
    await emitAll('main', 1, 3);
    const isAsked = firstValueFrom(asked);
    const stream = open('/stream');
    await isAsked;
    await emitAll('main', 4, 5);
    answer.next([{ type: 'state', data: 'whole' }]);
    expect(await stream.take(2)).toMatchObject([
      { event: 'state', id: undefined, data: '{"reason":"fresh","rooms":["main"]}' },
      { event: 'state', id: undefined, data: 'whole' },
    ]);
    expect(await numbers(stream, 2)).toEqual([4, 5]);
    const cursor = await emit('main', 6);
    await stream.next();
    await emit('main', 7);
    // With a cursor that is covered there is no snapshot.
    expect(await numbers(open('/stream', cursor), 1)).toEqual([7]);
  });

  // feature: 50
  it('a snapshot follows a gap, with the rooms that lost something', async () => {
    options = { snapshot: async (reason, rooms) => [{ type: 'state', data: { reason, rooms } }] };
    const { open, emitAll } = await start(adapter, { history: { maxEvents: 2 } });
    const [first] = await emitAll('a', 1, 5);
    await emitAll('b', 6, 7);
    const stream = open('/stream?rooms=a,b', first);
    expect(await stream.take(2)).toMatchObject([
      gap(['a'], 'trimmed'),
      { event: 'state', data: '{"reason":"gap","rooms":["a"]}' },
    ]);
    expect(await numbers(stream, 2)).toEqual([6, 7]);
  });

  it('a cursor of the hub in a snapshot does not stop those of the connection', async () => {
    const world = await start(adapter, { keepAlive: { intervalMs: 5 } });
    options = {
      snapshot: async () => [{ type: 'state', id: await world.hub.position(), data: 'x' }],
    };
    const stream = world.open('/stream');
    await stream.next();
    const id = await world.emit('another room', 1);
    await stream.until((text) => lastId(text) === id);
    expect(stream.events).toHaveLength(1);
  });

  it('a snapshot that fails at once refuses with a status', async () => {
    options = { snapshot: () => Promise.reject(new Error('the database is away')) };
    const { app, open } = await start(adapter);
    expect((await open('/stream').response).status).toBe(500);
    expect(app.logged).toEqual(['the database is away']);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('the database is away')), 'the database is away'],
    [
      'is no list',
      () => Promise.resolve(7),
      'stream().snapshot: expected a promise of a list of messages, got 7',
    ],
  ])('a snapshot that %s after the stream has begun is a late error', async (_title, end, told) => {
    const gate = new Deferred<void>();
    options = {
      snapshot: (() => gate.promise.then(end)) as unknown as (typeof options)['snapshot'],
    };
    const { app, open } = await start(adapter);
    const stream = open('/stream');
    expect((await stream.response).status).toBe(200);
    gate.resolve();
    expect(await stream.ended).toContain('event: sse-error');
    expect(app.logged).toEqual([told]);
  });
});

describe.each(ADAPTERS)('where the client stands between events (%s)', (adapter) => {
  const release = new Subject<void>();
  const OPERATORS = {
    none: (hub: Broadcaster) => hub.stream('main'),
    types: (hub: Broadcaster) => hub.stream('main', { types: ['other'] }),
    filter: (hub: Broadcaster) => hub.stream('main', { filter: () => false }),
    delay: (hub: Broadcaster) => hub.stream('main').pipe(delay(1_000_000)),
    concatMap: (hub: Broadcaster) =>
      hub.stream('main').pipe(
        concatMap((event) =>
          release.pipe(
            take(1),
            map(() => event),
          ),
        ),
      ),
    mergeMap: (hub: Broadcaster) =>
      hub.stream('main').pipe(
        mergeMap((event) =>
          release.pipe(
            take(1),
            map(() => event),
          ),
        ),
      ),
    bufferTime: (hub: Broadcaster) =>
      hub.stream('main').pipe(
        bufferTime(1_000_000),
        map((events) => ({ id: events.at(-1)?.id, data: events.length })),
      ),
    'filter operator': (hub: Broadcaster) =>
      hub.stream('main').pipe(filter(({ type }) => type === 'other')),
    'own ids': (hub: Broadcaster) =>
      hub.stream('main').pipe(map((event) => ({ ...event, id: `own-${String(event.data)}` }))),
  };
  @Controller()
  class Piped {
    constructor(readonly hub: Broadcaster) {}
    @SseStream('piped', { keepAlive: { intervalMs: 10 } }) piped(
      @Query('by') by: keyof typeof OPERATORS,
    ) {
      return OPERATORS[by](this.hub);
    }
  }

  /** After an event was published, the id of the next keep-alive. */
  const keepAliveId = async (by: keyof typeof OPERATORS) => {
    const app = await serve(Piped, { adapter });
    const { hub } = app.nest.get(Piped);
    const before = await hub.publish('main', { data: 0 });
    const stream = app.open(`/piped?by=${encodeURIComponent(by)}`);
    await stream.until((text) => lastId(text) !== undefined);
    expect(lastId(stream.text)).toBe(before);
    const published = await hub.publish('main', { data: 1 });
    const next = stream.text.length;
    // The first keep-alive may have been under way already.
    await stream.until((text) => text.slice(next).split(': keep-alive').length > 3);
    return { before, published, stream, hub, id: lastId(stream.text) };
  };

  it.each(['none', 'types', 'filter'] as const)(
    'is after the last event that the hub has handed out (%s)',
    async (by) => {
      const { id, published } = await keepAliveId(by);
      expect(id).toBe(published);
    },
  );

  it.each(['delay', 'concatMap', 'mergeMap', 'bufferTime', 'filter operator'] as const)(
    'is not beyond an event that an operator holds back, or may hold back (%s)',
    async (by) => {
      const { id, before } = await keepAliveId(by);
      expect(id).toBe(before);
    },
  );

  it.each(['concatMap', 'mergeMap'] as const)(
    'moves on when the event comes out (%s)',
    async (by) => {
      const { published, stream } = await keepAliveId(by);
      release.next();
      await stream.next();
      const next = stream.text.length;
      await stream.until((text) => text.slice(next).split(': keep-alive').length > 3);
      expect(lastId(stream.text)).toBe(published);
    },
  );

  it('is left alone where the handler writes ids of its own', async () => {
    const { stream, id } = await keepAliveId('own ids');
    expect(await stream.next()).toMatchObject({ id: 'own-1' });
    expect(id).toBe('own-1');
  });
});

describe.each(ADAPTERS)('several hubs in one stream (%s)', (adapter) => {
  @Controller()
  class Two {
    constructor(
      readonly main: Broadcaster,
      @InjectBroadcaster('orders') readonly orders: Broadcaster,
    ) {}
    @SseStream('both') both() {
      return merge(this.main.stream('r'), this.orders.stream('r'));
    }
    @SseStream('twice') twice() {
      return merge(this.main.stream('r'), this.main.stream('s'));
    }
    @SseStream('six') six() {
      return merge(...range(1, 6).map((n) => this.main.stream(String(n))));
    }
  }
  const start2 = async () => {
    const app = await serve(Two, {
      adapter,
      module: { imports: [SseModule.forFeature([{ name: 'orders' }])] },
    });
    return { app, hubs: app.nest.get(Two) };
  };
  const back = (id: string | undefined) => ({ headers: { 'last-event-id': id ?? '' } });

  it('share one last event ID, and each goes on where the client stood in it', async () => {
    const { app, hubs } = await start2();
    const stream = app.open('/both');
    await stream.until((text) => lastId(text) !== undefined);
    await hubs.main.publish('r', { data: 'm1' });
    await hubs.orders.publish('r', { data: 'o1' });
    const [, second] = await stream.take(2);
    stream.abort();
    expect(second?.id).toMatch(/^1\.[\w-]{8}\.\w+~1\.[\w-]{8}\.\w+$/);
    expect(second?.id?.length).toBeLessThanOrEqual(128);
    await hubs.orders.publish('r', { data: 'o2' });
    await hubs.main.publish('r', { data: 'm2' });
    const again = app.open('/both', back(second?.id));
    expect((await again.take(2)).map(({ data }) => data).sort()).toEqual(['m2', 'o2']);
    expect(again.text).not.toContain('sse-gap');
  });

  it('two streams of one hub do not hold each other back', async () => {
    const { app, hubs } = await start2();
    const stream = app.open('/twice');
    await stream.until((text) => lastId(text) !== undefined);
    await hubs.main.publish('r', { data: 'r1' });
    const id = await hubs.main.publish('s', { data: 's1' });
    expect((await stream.take(2)).at(-1)?.id).toBe(id);
    const again = app.open('/twice', back(id));
    await hubs.main.publish('r', { data: 'r2' });
    expect(await again.next()).toMatchObject({ data: 'r2' });
  });

  it('are at most five, and the error says what to do', async () => {
    const { app } = await start2();
    expect((await app.open('/six').response).status).toBe(500);
    expect(app.logged).toEqual([
      'maxHubStreams is 5: a connection reads no more hub streams; give one stream several rooms instead',
    ]);
  });
});

describe.each(ADAPTERS)('ids of the app (%s)', (adapter) => {
  /** Stands for a table with a sequence. */
  class Table {
    readonly rows: { no: number; text: string }[] = [];
    insert(text: string): { no: number; text: string } {
      const row = { no: this.rows.length + 1, text };
      this.rows.push(row);
      return row;
    }
    after(no: number) {
      return this.rows.filter((row) => row.no > no);
    }
  }
  const table = new Table();
  let duringQuery: () => void = () => {};

  @Controller()
  class Messages {
    constructor(readonly hub: Broadcaster<{ message: { no: number; text: string } }>) {}
    @SseStream('messages') messages(@LastEventId() after: string | undefined) {
      let last = Number(after ?? 0);
      return this.hub
        .stream('messages', {
          lastEventId: false,
          snapshot: async () => {
            const rows = table.after(last);
            duringQuery();
            last = rows.at(-1)?.no ?? last;
            return rows.map((row) => ({ id: row.no, type: 'message', data: row.text }));
          },
        })
        .pipe(
          filter(({ data }) => data.no > last),
          map(({ data }) => ({ id: data.no, type: 'message', data: data.text })),
        );
    }
  }

  // feature: 48
  it('resume from its own store, and a row that is added during the query is not missed', async () => {
    const app = await serve(Messages, { adapter, sse: { keepAlive: { intervalMs: 5 } } });
    const { hub } = app.nest.get(Messages);
    const add = (text: string): void => void hub.to('messages').emit('message', table.insert(text));
    table.rows.length = 0;
    ['one', 'two', 'three'].forEach(add);
    duringQuery = () => {
      duringQuery = () => {};
      add('four');
    };
    const stream = app.open('/messages', { headers: { 'last-event-id': '1' } });
    expect((await stream.take(3)).map(({ id, data }) => [id, data])).toEqual([
      ['2', 'two'],
      ['3', 'three'],
      ['4', 'four'],
    ]);
    // Keep-alives do not overwrite an id that is not theirs.
    await stream.until((text) => text.split(': keep-alive\n\n').length > 2);
    expect(lastId(stream.text)).toBe('4');
    add('five');
    expect(await stream.next()).toMatchObject({ id: '5', data: 'five' });
  });
});

describe('beside streams', () => {
  // feature: 97
  it('history() gives a page after a cursor and says whether something is missing', async () => {
    const { hub, emitAll } = await start('express', { history: { maxEvents: 5 } });
    const ids = await emitAll('main', 1, 10);
    const page = async (query: { after?: string; limit?: number }) => {
      const { events, covered } = await hub.history('main', query);
      return [events.map(({ data }) => data), covered];
    };
    expect(await page({})).toEqual([[6, 7, 8, 9, 10], true]);
    expect(await page({ limit: 2 })).toEqual([[9, 10], true]);
    expect(await page({ after: ids[5] })).toEqual([[7, 8, 9, 10], true]);
    expect(await page({ after: ids[5], limit: 2 })).toEqual([[7, 8], true]);
    expect(await page({ after: ids[4] })).toEqual([[6, 7, 8, 9, 10], true]);
    expect(await page({ after: ids[0] })).toEqual([[6, 7, 8, 9, 10], false]);
    expect(await page({ after: ids[9] })).toEqual([[], true]);
    expect(await page({ after: 'nonsense', limit: 1 })).toEqual([[10], false]);
    const [first] = (await hub.history('main', { limit: 1 })).events;
    expect(first).toMatchObject({ id: ids[9], type: 'n', data: 10, rooms: ['main'] });
    await expect(hub.history('main', { limit: 0 })).rejects.toMatchObject({ code: 'SSE_OPTIONS' });
    await expect(hub.history('')).rejects.toMatchObject({ code: 'SSE_INVALID_FIELD' });
  });

  // feature: 97
  it('a stream without a connection, as for a WebSocket gateway, tells gaps among its events', async () => {
    const { hub, emitAll } = await start('express', { history: { maxEvents: 2 } });
    const [first] = await emitAll('main', 1, 5);
    const read = hub.stream('main', { lastEventId: first }).pipe(take(2), toArray());
    const seen = firstValueFrom(read);
    await new Promise(setImmediate);
    await emitAll('main', 6, 6);
    expect(await seen).toMatchObject([
      { type: 'sse-gap', data: { rooms: ['main'], reason: 'trimmed' } },
      { type: 'n', data: 6 },
    ]);
  });

  // feature: 71
  it('a stream without a connection ends where more comes than fits while it waits for its state', async () => {
    const { hub } = await start('express');
    const asked = new Promise<void>((resolve) => {
      const snapshot = () => (resolve(), new Promise<SseMessage[]>(() => {}));
      options = { connection: false, snapshot };
    });
    const failed = firstValueFrom(hub.stream('main', options)).catch((error: unknown) => error);
    await asked;
    for (let n = 0; n < 20; n++) await hub.publish('main', { data: 'x'.repeat(100_000) });
    expect(await failed).toMatchObject({ code: 'SSE_OVERFLOW' });
    options = {};
  });

  it('with history: false there are no ids, no gaps and no replays', async () => {
    const { hub, open, emit } = await start('express', { history: false });
    expect(await emit('main', 1)).toBe('');
    const stream = open('/stream', 'nonsense');
    await stream.until((text) => text.endsWith('\n\n'));
    await emit('main', 2);
    expect(await stream.next()).toMatchObject({ event: 'n', id: undefined, data: '2' });
    expect(stream.text).not.toContain('id:');
    await expect(hub.position()).rejects.toThrow(
      'position() needs history; leave out `history: false`',
    );
    await expect(hub.history('main')).rejects.toMatchObject({ code: 'SSE_OPTIONS' });
  });

  // feature: 51
  it('a key makes a second publish safe: one event, the same cursor', async () => {
    const { hub, open, emit } = await start('express');
    const stream = open('/stream');
    await stream.until((text) => text.endsWith('\n\n'));
    const first = await hub.to('main').emit('n', 1, { key: 'order-1' });
    expect(await hub.to('main').emit('n', 1, { key: 'order-1' })).toBe(first);
    await emit('main', 2);
    expect(await numbers(stream, 2)).toEqual([1, 2]);
    await expect(hub.to('main').emit('n', 1, { key: '' })).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
    });
  });

  it.each([
    [{ rewind: 0 }, 'stream().rewind: expected a positive integer, or { ms } with one, got 0'],
    [
      { onGap: 'never' },
      "stream().onGap: expected 'tail' or 'rest' or 'skip' or 'end', got \"never\"",
    ],
    [{ type: 'x' }, 'stream().type: no such option; did you mean types?'],
    [
      { connection: { id: 'x' } },
      'connection: expected what a handler gets by @Connection(), or what fakeConnection() makes in tests, got an object with id',
    ],
  ])('a wrong option of stream() is refused at once: %j', async (wrong, message) => {
    const { hub } = await start('express');
    expect(() => hub.stream('main', wrong as object)).toThrow(message);
  });
});

describe.each(ADAPTERS)('clients that flap at random (%s)', (adapter) => {
  // feature: 46
  // fault: 13
  it('12 clients on 5 rooms get each of 6 000 events once and in order, over hundreds of drops', async () => {
    const seed = Number(process.env['FLAP_SEED'] ?? Math.floor(Math.random() * 1e9));
    console.log(`FLAP_SEED=${seed}`);
    let state = seed;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 4_294_967_296;
    };
    const ROOMS = ['a', 'b', 'c', 'd', 'e'];
    const TOTAL = 6_000;
    const { app, hub } = await start(adapter, {
      keepAlive: { intervalMs: 50 },
      history: { maxEvents: 10_000 },
      retry: 1,
    });
    const roomsOf = Array.from({ length: TOTAL }, () => {
      const rooms = ROOMS.filter(() => random() < 0.25);
      return rooms.length > 0 ? rooms : ['a'];
    });
    let drops = 0;
    const progress: number[] = [];

    const client = async (n: number): Promise<{ got: number[]; owed: number[] }> => {
      const rooms = ROOMS.filter((_, index) => index === n % 5 || random() < 0.4);
      const owed = range(0, TOTAL - 1).filter((uid) =>
        roomsOf[uid]?.some((room) => rooms.includes(room)),
      );
      const got: number[] = [];
      let cursor: string | undefined;
      let begun = 0;
      progress[n] = -1;
      while (got.length < owed.length) {
        const headers: Record<string, string> =
          cursor === undefined ? {} : { 'last-event-id': cursor };
        const stream = app.open(`/rooms?rooms=${rooms.join(',')}`, { headers });
        await stream.until((text) => lastId(text) !== undefined);
        if (begun++ === 0) ready();
        const enough = 1 + Math.floor(random() * 120);
        await stream.until(
          () => stream.events.length >= enough || got.length + stream.events.length >= owed.length,
        );
        stream.abort();
        drops++;
        // All of the text that the client has read counts, and no more.
        cursor = lastId(stream.text.slice(0, stream.text.lastIndexOf('\n\n') + 2)) ?? cursor;
        expect(stream.text).not.toContain('sse-gap');
        got.push(...stream.events.map(({ data }) => Number(data)));
        progress[n] = got.at(-1) ?? -1;
      }
      progress[n] = TOTAL;
      return { got, owed };
    };

    let waiting = 12;
    let begin!: () => void;
    const allReady = new Promise<void>((resolve) => (begin = resolve));
    const ready = (): void => void (--waiting === 0 && begin());
    const clients = Promise.all(range(0, 11).map(client));
    await allReady;
    for (let uid = 0; uid < TOTAL; uid++) {
      void hub.to(...roomsOf[uid]!).emit('n', uid);
      // Not further ahead of the slowest client than one replay carries.
      do await new Promise(setImmediate);
      while (uid - Math.min(...progress) > 800);
    }
    for (const { got, owed } of await clients) expect(got).toEqual(owed);
    expect(drops).toBeGreaterThan(200);
    expect(app.nest.get(SseConnections).count).toBeLessThanOrEqual(12);
  }, 60_000);
});
