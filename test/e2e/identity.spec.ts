// Whose a connection is: events for users, and for everybody but one client.
import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Param } from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  InjectBroadcaster,
  SseConnection,
  SseConnections,
  SseModule,
  SseStream,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { merge, Subject, switchMap } from 'rxjs';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { ADAPTERS, serve, type ServeOptions, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

const rooms$ = new Subject<string>();

@Controller()
class Streams {
  constructor(
    private readonly hub: Broadcaster,
    @InjectBroadcaster('other') private readonly other: Broadcaster,
  ) {}
  @SseStream('rooms/:rooms') rooms(@Param('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('two') two() {
    return merge(this.hub.stream('a'), this.hub.stream('b'));
  }
  @SseStream('two-hubs') twoHubs() {
    return merge(this.hub.stream('a'), this.other.stream('a'));
  }
  @SseStream('job') job() {
    return merge(this.hub.stream('job', { until: ['done'] }), this.hub.stream('a'));
  }
  @SseStream('jobs') jobs() {
    return this.hub.stream('job', { until: ['done'] });
  }
  @SseStream('switched') switched(@Connection() connection: SseConnection) {
    return rooms$.pipe(switchMap((room) => this.hub.stream(room, { connection })));
  }
  @SseStream('rewound') rewound() {
    return this.hub.stream('a', { rewind: 1 });
  }
  @SseStream('snapshot') snapshot() {
    const snapshot = async (reason: string, rooms: string[]) => [{ type: reason, data: rooms }];
    return this.hub.stream('a', { snapshot });
  }
}

const identify = ({ request }: SseConnection) => {
  const { user, tab } = request.query as { user?: string; tab?: string };
  return { user, client: tab };
};

const start = (sse: SseModuleOptions = {}, options: ServeOptions = {}) =>
  serve(Streams, {
    ...options,
    sse: { identify, ...sse },
    module: { imports: [SseModule.forFeature([{ name: 'other' }])] },
  });

async function open(app: TestApp, path: string, lastEventId?: string) {
  const headers: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
  const stream = app.open(path, { headers });
  await stream.until(({ text }) => /^id: |^: /m.test(text));
  return stream;
}

const hubOf = (app: TestApp): Broadcaster => app.nest.get(Broadcaster);

describe.each(ADAPTERS)('an event for a user, on %s', (adapter) => {
  it('reaches each connection of the user once, and nobody else', async () => {
    const app = await start({}, { adapter });
    const paths = [
      '/rooms/a?user=ann',
      '/rooms/b,c?user=ann',
      '/two?user=ann',
      '/rooms/a?user=ben',
    ];
    const streams = await Promise.all([...paths, '/rooms/a'].map((path) => open(app, path)));
    await hubOf(app).toUser('ann').emit('hello', 1);
    await hubOf(app).to('a', 'b').emit('end', 2);
    const seen = streams.map(async (stream) => {
      const types: string[] = [];
      do types.push((await stream.next()).type);
      while (types.at(-1) !== 'end');
      return types;
    });
    const ofTwo = ['hello', 'end'];
    expect(await Promise.all(seen)).toEqual([ofTwo, ofTwo, ofTwo, ['end'], ['end']]);
    expect(streams[2]!.events.map(({ type }) => type)).toEqual(['hello', 'end', 'end']);
  });

  it('is resumed like any other', async () => {
    const app = await start({}, { adapter });
    const hub = hubOf(app);
    const stream = await open(app, '/rooms/a?user=ann');
    await hub.to('a').emit('first', 1);
    await stream.next('first');
    stream.close();
    await hub.toUser('ann', 'ben').emit('missed', 2);
    await hub.toUser('ben').emit('of ben', 3);
    await hub.to('a').emit('last', 4);
    const back = await open(app, '/rooms/a?user=ann', stream.cursor);
    await back.next('last');
    expect(back.events.map(({ type }) => type)).toEqual(['missed', 'last']);
  });
});

describe('an event for a user', () => {
  it('goes to the user, not to a room that an app could read or count', async () => {
    const app = await start({ limits: { maxRoomsPerConnection: 1, maxPerRoom: 1 } });
    const hub = hubOf(app);
    await open(app, '/rooms/a?user=ann');
    await open(app, '/rooms/b?user=ann');
    expect(hub.rooms()).toEqual(['a', 'b']);
    expect((await responded(app.open('/rooms/sse:user:ann'))).status).toBe(400);
    await expect(hub.to('sse:user:ann').emit('x', 1)).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
      message:
        'room: names that begin with "sse:" are reserved for the library; choose another (got "sse:user:ann")',
    });
  });

  it('goes on where the stream that brought it has ended, without one twice or left out', async () => {
    const app = await start();
    const hub = hubOf(app);
    const stream = await open(app, '/job?user=ann');
    void hub.toUser('ann').emit('before', 1);
    void hub.to('job').emit('done', 2);
    void hub.toUser('ann').emit('after', 3);
    await hub.to('a').emit('end', 4);
    await stream.next('end');
    expect(stream.events.map(({ type }) => type)).toEqual(['before', 'done', 'after', 'end']);
    await hub.toUser('ann').emit('later', 5);
    expect((await stream.next('later')).data).toBe(5);
  });

  it('goes on where a stream takes the place of another', async () => {
    const app = await start();
    const hub = hubOf(app);
    const stream = await open(app, '/switched?user=ann');
    for (const room of ['a', 'b', 'a']) {
      rooms$.next(room);
      await hub.toUser('ann').emit(`in ${room}`, 1);
      await stream.next(`in ${room}`);
    }
    expect(stream.events.map(({ type }) => type)).toEqual(['in a', 'in b', 'in a']);
  });

  it('does not end a stream that ends with such an event of its room', async () => {
    const app = await start();
    const hub = hubOf(app);
    await hub.toUser('ann').emit('done', 'kept');
    const stream = await open(app, '/jobs?user=ann');
    await hub.toUser('ann').emit('done', 'live');
    await hub.to('job').emit('done', 'the end');
    await stream.ended;
    expect(stream.events.map(({ data }) => data)).toEqual(['live', 'the end']);
  });

  it('takes no place in a rewind, and is no room of a snapshot', async () => {
    const app = await start();
    const hub = hubOf(app);
    await hub.to('a').emit('price', 1);
    await hub.toUser('ann').emit('old', 2);
    const stream = await open(app, '/rewound?user=ann');
    await hub.toUser('ann').emit('new', 3);
    await stream.next('new');
    expect(stream.events.map(({ type }) => type)).toEqual(['price', 'new']);
    const snapshot = await open(app, '/snapshot?user=ann');
    expect(await snapshot.next()).toMatchObject({ type: 'fresh', data: ['a'] });
  });

  it('that was lost is a gap of "sse:user", without the name of the user', async () => {
    const app = await start({ history: { maxEvents: 1 } });
    const hub = hubOf(app);
    const stream = await open(app, '/snapshot?user=ann');
    await hub.to('a').emit('first', 1);
    await stream.next('first');
    stream.close();
    for (const n of [1, 2]) await hub.toUser('ann').emit('missed', n);
    const back = await open(app, '/snapshot?user=ann', stream.cursor);
    expect(await back.gap()).toEqual({ rooms: ['sse:user'], reason: 'trimmed' });
    await hub.to('a').emit('last', 2);
    await back.next('last');
    expect(back.text).not.toContain('ann');
    // Its snapshot is of rooms that the app knows.
    expect(back.events.map(({ type }) => type)).toEqual(['sse-gap', 'last']);
  });

  it('is of one hub, and ids of two hubs are as for two rooms', async () => {
    const app = await start();
    const stream = await open(app, '/two-hubs?user=ann');
    await hubOf(app).toUser('ann').emit('hello', 1);
    expect(await stream.next()).toMatchObject({ type: 'hello', data: 1 });
    stream.close();
    await hubOf(app).toUser('ann').emit('missed', 2);
    await hubOf(app).to('a').emit('end', 3);
    const back = await open(app, '/two-hubs?user=ann', stream.cursor);
    await back.next('end');
    expect(back.events.map(({ type }) => type)).toEqual(['missed', 'end']);
  });

  it('needs the option that says who is who', async () => {
    const app = await start({ identify: undefined });
    expect(() => hubOf(app).toUser('ann')).toThrow(
      'identify: toUser() needs to know whose a connection is; set `identify` in SseModule.forRoot()',
    );
    await expect(hubOf(app).to('a').emit('x', 1, { except: 'tab' })).rejects.toThrow(
      'identify: the option `except` of emit() needs to know whose a connection is',
    );
  });

  it.each([
    [[], 'user: expected at least one id (got an empty array)'],
    [[''], 'user: expected a text of 1 to 200 characters (got "")'],
    [[7], 'user: expected a text of 1 to 200 characters (got 7)'],
    [['ann', undefined], 'user: expected a text of 1 to 200 characters (got undefined)'],
  ])('is refused for %j', async (users, message) => {
    const app = await start();
    const emit = hubOf(app)
      .toUser(...(users as string[]))
      .emit('x', 1);
    await expect(emit).rejects.toThrow(message);
  });

  it('is not for a stream whose client has no right answer: it is refused', async () => {
    const app = await start({ identify: () => ({ user: 7 }) as never });
    expect((await responded(app.open('/rooms/a'))).status).toBe(500);
    expect(app.logged.join()).toContain('identify().user: expected a text of 1 to 200 characters');
  });

  it('asks once, after the connection was admitted', async () => {
    const asked = jest.fn(identify);
    const app = await start({ identify: asked, limits: { maxConnections: 1 } });
    await open(app, '/two?user=ann');
    await app.open('/two?user=ann').ended;
    expect(asked).toHaveBeenCalledTimes(1);
    const [connection] = app.nest.get(SseConnections).list();
    expect(connection?.identity).toEqual({ user: 'ann' });
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('ends with the streams of the user that is revoked', async () => {
    const app = await start();
    const [ann, ben] = [await open(app, '/two?user=ann'), await open(app, '/two?user=ben')];
    await app.nest.get(SseConnections).revokeEverywhere({ user: 'ann' });
    expect(await ann.ended).toContain('{"reason":"auth"}');
    await hubOf(app).toUser('ann', 'ben').emit('hello', 1);
    expect((await ben.next()).type).toBe('hello');
  });
});

describe.each(ADAPTERS)('an event for all but one client, on %s', (adapter) => {
  it('leaves out its streams, live and when they return, and their cursors pass it', async () => {
    const app = await start({}, { adapter });
    const hub = hubOf(app);
    const [one, two, none] = await Promise.all(
      ['/rooms/a?tab=1', '/rooms/a?tab=2', '/rooms/a'].map((path) => open(app, path)),
    );
    for (const n of [1, 2, 3]) {
      void hub.to('a').emit('for all', n);
      void hub.to('a').emit('for others', n, { except: '1' });
    }
    await hub.to('a').emit('end', 0);
    const seen = async (stream: typeof one) => {
      await stream!.next('end');
      return stream!.events.map(({ type, data }) => `${type} ${String(data)}`);
    };
    const all = [1, 2, 3].flatMap((n) => [`for all ${n}`, `for others ${n}`]);
    const withEnd = [...all, 'end 0'];
    expect(await seen(two)).toEqual(withEnd);
    expect(await seen(none)).toEqual(withEnd);
    expect(await seen(one)).toEqual(withEnd.filter((event) => !event.includes('others')));

    one!.close();
    await hub.to('a').emit('for others', 4, { except: '1' });
    await hub.to('a').emit('last', 5);
    const back = await open(app, '/rooms/a?tab=1', one!.cursor);
    await back.next('last');
    expect(back.events.map(({ type }) => type)).toEqual(['last']);
  });

  it('is not sent again to a client that has read to the end', async () => {
    const app = await start({}, { adapter });
    const stream = await open(app, '/rooms/a?tab=1');
    const cursor = await hubOf(app).to('a').emit('x', 1, { except: '1' });
    stream.close();
    const back = await open(app, '/rooms/a?tab=1', stream.cursor);
    expect(back.cursor).toBe(cursor);
    expect(back.events).toEqual([]);
  });
});

describe('an event for all but one client', () => {
  it('names it by its connection', async () => {
    const app = await start();
    const [one, two] = [await open(app, '/rooms/a?tab=1'), await open(app, '/rooms/a')];
    const [first, second] = app.nest.get(SseConnections).list();
    await hubOf(app).to('a').emit('x', 1, { except: first! });
    await expect(hubOf(app).to('a').emit('y', 1, { except: second! })).rejects.toThrow(
      /^except: this connection has no `identity.client`; return one from `identify`/,
    );
    for (const except of ['', 7, {}]) {
      const emit = hubOf(app)
        .to('a')
        .emit('y', 1, { except: except as never });
      await expect(emit).rejects.toThrow(/^except: expected a connection, or the id of a client/);
    }
    await hubOf(app).to('a').emit('end', 1);
    expect((await one.next()).type).toBe('end');
    expect((await two.take(2)).map(({ type }) => type)).toEqual(['x', 'end']);
  });

  it('does not end a stream of that client', async () => {
    const app = await start();
    await hubOf(app).to('job').emit('done', 'kept', { except: '1' });
    const stream = await open(app, '/jobs?tab=1');
    await hubOf(app).to('job').emit('done', 'live', { except: '1' });
    await hubOf(app).to('job').emit('done', 'the end');
    await stream.ended;
    expect(stream.events.map(({ data }) => data)).toEqual(['the end']);
  });
});

describeRedis('identity over two processes', () => {
  it('takes events to users and past clients, also when these return elsewhere', async () => {
    const redis = await startRedis();
    const [first, second] = await Promise.all(
      [1, 2].map(() => start({ log: redisEventLog({ url: redis.url }) })),
    );
    const streams = await Promise.all([
      open(first!, '/rooms/a?user=ann&tab=1'),
      open(second!, '/rooms/b?user=ann&tab=2'),
    ]);
    const hub = hubOf(second!);
    await hub.toUser('ann').emit('hello', 1);
    await hub.toUser('ann').emit('from tab 1', 2, { except: '1' });
    await hub.to('a', 'b').emit('end', 3);
    for (const stream of streams) await stream.next('end');
    expect(streams.map(({ events }) => events.map(({ type }) => type))).toEqual([
      ['hello', 'end'],
      ['hello', 'from tab 1', 'end'],
    ]);
    streams[0].close();
    await hub.toUser('ann').emit('missed', 4);
    await hub.to('a').emit('from tab 1', 5, { except: '1' });
    await hub.to('a').emit('last', 6);
    const back = await open(second!, '/rooms/a?user=ann&tab=1', streams[0].cursor);
    await back.next('last');
    expect(back.events.map(({ type }) => type)).toEqual(['missed', 'last']);
    await redis.stop();
  }, 30_000);
});
