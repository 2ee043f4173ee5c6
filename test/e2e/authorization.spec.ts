// Who may read what, for how long, and how it is taken back.
import { describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  Injectable,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Param, Query } from '@nestjs/common';
import {
  Broadcaster,
  Connection,
  SseConnection,
  SseConnections,
  SseModule,
  SseStream,
  type Authorize,
  type AuthorizeRooms,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import type { IncomingHttpHeaders } from 'node:http';
import { firstValueFrom, lastValueFrom, merge, Subject, switchMap } from 'rxjs';
import { describeRedis, startRedis } from '../support/redis-server.js';
import { ADAPTERS, serve, type ServeOptions, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';
import { responded } from '../support/stream-client.js';

/** Who has which token now. */
@Injectable()
class Users extends Map<string, string> {}

@Injectable()
class TokenGuard implements CanActivate {
  constructor(private readonly users: Users) {}
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>();
    if (this.users.has(String(headers.authorization))) return true;
    throw new UnauthorizedException();
  }
}

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(
    @Query('rooms') rooms: string,
    @Connection() connection: SseConnection,
  ) {
    connection.data['user'] = connection.request.headers['x-user'];
    return this.hub.stream(rooms.split(','));
  }
  @SseStream('own/:room') own(@Param('room') room: string) {
    return this.hub.stream(room, { authorize: () => room === 'open' });
  }
  @SseStream('by-pattern/:room') byPattern(@Param('room') room: string) {
    return this.hub.stream(room, { authorize: { 'open.:id': (_one, { id }) => id === '7' } });
  }
  @SseStream('two') two() {
    return merge(this.hub.stream('a'), this.hub.stream('b'));
  }
  @UseGuards(TokenGuard)
  @SseStream('guarded')
  guarded() {
    return this.hub.stream('a');
  }
}

const serveStreams = (options: ServeOptions = {}, users = new Users()): Promise<TestApp> =>
  serve(Streams, { ...options, module: { providers: [{ provide: Users, useValue: users }] } });

const start = (authorize: Authorize, more: SseModuleOptions = {}) =>
  serveStreams({ sse: { authorize, ...more } });

const begun = (text: string): boolean => /^id: /m.test(text);
const EXPELLED = /event: sse-end\ndata: \{"reason":"auth"\}\n\n$/;

async function open(app: TestApp, path: string, headers: Record<string, string> = {}) {
  const stream = app.open(path, { headers });
  await stream.until(({ text }) => begun(text));
  return stream;
}

const reasons = (app: TestApp): string[] => {
  const all: string[] = [];
  app.nest.get(SseConnections).closed$.subscribe(({ reason }) => all.push(reason));
  return all;
};

describe.each([
  ['at once', (allowed: boolean) => allowed],
  ['later', async (allowed: boolean) => (await new Promise(setImmediate), allowed)],
])('authorize, which answers %s', (_when, answer) => {
  it('is asked for all rooms of a stream, before anything of them is read', async () => {
    const asked: [string | undefined, readonly string[]][] = [];
    const app = await start(({ lastEventId }, rooms) => {
      asked.push([lastEventId, rooms]);
      return answer(!rooms.includes('secret'));
    });
    const hub = app.nest.get(Broadcaster);
    const cursor = await hub.position();
    await hub.to('secret').emit('x', 'for nobody here');
    await hub.to('a').emit('x', 'missed');

    const refused = app.open(`/rooms?rooms=a,secret`, { headers: { 'last-event-id': cursor } });
    expect((await responded(refused)).status).toBe(403);
    expect(await refused.ended).not.toContain('missed');
    const allowed = await open(app, '/rooms?rooms=a', { 'last-event-id': cursor });
    expect((await allowed.next()).data).toBe('missed');
    expect(asked).toEqual([
      [cursor, ['a', 'secret']],
      [cursor, ['a']],
    ]);
    expect(hub.rooms()).toEqual(['a']);
  });

  it('counts for each of several streams', async () => {
    const app = await start((_connection, [room]) => answer(room === 'a'));
    const stream = app.open('/two');
    expect((await responded(stream)).status).toBe(403);
    expect(app.nest.get(SseConnections).count).toBe(0);
  });
});

describe('authorize', () => {
  it.each(ADAPTERS)('may answer with a status of its own (%s)', async (adapter) => {
    const authorize = (): never => {
      throw new UnauthorizedException('sign in');
    };
    const app = await serveStreams({ adapter, sse: { authorize } });
    const stream = app.open('/rooms?rooms=a');
    expect((await responded(stream)).status).toBe(401);
    expect(JSON.parse(await stream.ended)).toMatchObject({ message: 'sign in' });
  });

  it('of a stream is asked instead of the hub’s', async () => {
    const app = await start(() => false);
    expect((await responded(app.open('/own/closed'))).status).toBe(403);
    const stream = await open(app, '/own/open');
    await app.nest.get(Broadcaster).to('open').emit('x', 1);
    expect((await stream.next()).data).toBe(1);
  });

  it('is asked again before a keep-alive, and ends the stream when it says no', async () => {
    let isAllowed = true;
    const app = await start(() => isAllowed, { keepAlive: { intervalMs: 20 } });
    const closed = reasons(app);
    const stream = await open(app, '/rooms?rooms=a');
    await stream.until(({ text }) => text.includes(': keep-alive'));
    isAllowed = false;
    const keepAlives = stream.text.split(': keep-alive').length;
    expect(await stream.ended).toMatch(EXPELLED);
    // One may have been on its way.
    expect(stream.text.split(': keep-alive').length).toBeLessThanOrEqual(keepAlives + 1);
    expect(closed).toEqual(['auth']);
  });

  it('is asked again while events come, too', async () => {
    // The sockets are real; only the clocks of this process stand still until they are moved.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const authorize = jest.fn<Authorize>();
      for (let yes = 0; yes < 3; yes++) authorize.mockReturnValueOnce(true);
      authorize.mockReturnValue(false);
      const app = await start(authorize);
      const stream = await open(app, '/rooms?rooms=a');
      while (authorize.mock.calls.length < 4) {
        await app.nest.get(Broadcaster).to('a').emit('x', 1);
        await stream.next();
        jest.advanceTimersByTime(10_000);
      }
      expect(await stream.ended).toMatch(EXPELLED);
      expect(stream.text).not.toContain('keep-alive');
    } finally {
      jest.useRealTimers();
    }
  });

  it('says no by what it throws, which is logged', async () => {
    let asked = 0;
    const authorize = (): boolean => {
      if (++asked > 1) throw new Error('the database is away');
      return true;
    };
    const app = await start(authorize, { keepAlive: { intervalMs: 20 } });
    const stream = await open(app, '/rooms?rooms=a');
    expect(await stream.ended).toMatch(EXPELLED);
    expect(app.logged).toContain('the database is away');
  });

  // feature: 74
  it.each([
    ['milliseconds', (at: number) => at],
    ['a date', (at: number) => new Date(at)],
  ])('ends the stream by `until`, given as %s', async (_as, toUntil) => {
    let expires = 0;
    const app = await start(() => ({ until: toUntil((expires = Date.now() + 300)) }));
    const closed = reasons(app);
    const stream = await open(app, '/rooms?rooms=a');
    expect(await stream.ended).toMatch(EXPELLED);
    expect(Date.now()).toBeGreaterThanOrEqual(expires - 31);
    expect(closed).toEqual(['auth']);
  });

  it.each([0, '', Number.NaN, 'no', undefined, null])('says no by %p', async (answer) => {
    const app = await start(() => answer as unknown as boolean);
    expect((await responded(app.open('/rooms?rooms=a'))).status).toBe(403);
  });

  it('that does not answer when it is asked again says no', async () => {
    let asked = 0;
    const authorize = (): boolean | Promise<boolean> =>
      ++asked === 1 ? true : new Promise<boolean>(() => {});
    const app = await start(authorize, { keepAlive: { intervalMs: 20 } });
    const stream = await open(app, '/rooms?rooms=a');
    expect(await stream.ended).toMatch(EXPELLED);
    expect(app.logged.at(-1)).toMatch(/authorize has not answered/);
  });

  it('refuses whose `until` is over', async () => {
    const app = await start(() => ({ until: Date.now() - 1 }));
    expect((await responded(app.open('/rooms?rooms=a'))).status).toBe(403);
  });

  it('moves the end when it is asked again', async () => {
    let asked = 0;
    const app = await start(
      () => {
        asked++;
        return { until: Date.now() + 200 };
      },
      { keepAlive: { intervalMs: 40 } },
    );
    await open(app, '/rooms?rooms=a');
    // Five times the interval: longer than the first answer allowed.
    await until('it was asked often', () => asked > 12);
    expect(app.nest.get(SseConnections).count).toBe(1);
  });
});

describe('a stream that is opened outside the call of its handler', () => {
  const asked: unknown[] = [];
  const rooms = new Subject<string>();

  @Controller()
  class Later {
    constructor(private readonly hub: Broadcaster) {}
    @SseStream('unnamed') unnamed() {
      return rooms.pipe(switchMap((room) => this.hub.stream(room)));
    }
    @SseStream('named') named(@Connection() connection: SseConnection) {
      return rooms.pipe(switchMap((room) => this.hub.stream(room, { connection })));
    }
  }

  it('is asked about by the connection that it names, and fails without one', async () => {
    const authorize: Authorize = (connection, [room]) => {
      asked.push(connection);
      return room === 'open';
    };
    const app = await serve(Later, { sse: { authorize } });
    const unnamed = app.open('/unnamed');
    const named = app.open('/named');
    await Promise.all([unnamed, named].map((stream) => stream.until(({ text }) => text !== '')));
    const connections = app.nest.get(SseConnections);
    const own = connections.find(({ request }) => (request as { url?: string }).url === '/named');
    rooms.next('open');
    expect(await unnamed.ended).toMatch(/event: sse-error\n/);
    expect(app.logged.at(-1)).toMatch(/`authorize` has no connection to check/);
    expect(asked).toEqual([own]);
    await app.nest.get(Broadcaster).to('open').emit('x', 1);
    expect((await named.next()).data).toBe(1);
    rooms.next('closed');
    expect(await named.ended).toMatch(EXPELLED);
  });

  it.each([
    ['an HttpException, which is a no', new UnauthorizedException('sign in'), []],
    ['trouble, which is logged', new Error('the database is away'), ['the database is away']],
  ])('ends the connection by what authorize throws: %s', async (_what, thrown, logged) => {
    const app = await serve(Later, { sse: { authorize: () => Promise.reject(thrown) } });
    const closed = reasons(app);
    const named = app.open('/named');
    await named.until(({ text }) => text !== '');
    rooms.next('a');
    expect(await named.ended).toMatch(EXPELLED);
    expect(closed).toEqual(['auth']);
    expect(app.logged).toEqual(logged);
  });

  it('fails for want of a place, which is no want of a permission', async () => {
    const limits = { maxRoomsPerConnection: 1 };
    const app = await serve(Later, { sse: { limits, authorize: async () => true } });
    const named = app.open('/named');
    await named.until(({ text }) => text !== '');
    const connection = app.nest.get(SseConnections).list()[0]!;
    app.nest.get(Broadcaster).stream('a', { connection }).subscribe();
    await until('it has joined', () => app.nest.get(Broadcaster).size('a') === 1);
    rooms.next('b');
    expect(await named.ended).toMatch(/event: sse-error\n/);
    expect(app.logged.at(-1)).toMatch(/maxRoomsPerConnection is 1/);
  });

  it('ends with the connection that it names, whoever subscribes to it', async () => {
    let answer = (_is: boolean): void => {};
    const authorize = ([room]: readonly string[]) =>
      room === 'slow' ? new Promise<boolean>((resolve) => (answer = resolve)) : true;
    const app = await serve(Later, { sse: { authorize: (_connection, all) => authorize(all) } });
    const hub = app.nest.get(Broadcaster);
    const named = app.open('/named');
    await named.until(({ text }) => text !== '');
    const connection = app.nest.get(SseConnections).list()[0]!;
    const ends = ['a', 'slow'].map((room) =>
      lastValueFrom(hub.stream(room, { connection }), { defaultValue: 'ended' }),
    );
    expect(hub.rooms()).toEqual(['a']);
    named.close();
    expect(await Promise.all(ends)).toEqual(['ended', 'ended']);
    answer(true);
    await new Promise(setImmediate);
    expect(hub.rooms()).toEqual([]);
    const late = hub.stream('a', { connection });
    expect(await lastValueFrom(late, { defaultValue: 'ended' })).toBe('ended');
    expect(hub.size()).toBe(0);
  });

  it('is not asked about where it is for something else than a connection', async () => {
    const app = await start(() => false);
    const hub = app.nest.get(Broadcaster);
    const got = firstValueFrom(hub.stream('a', { connection: false }));
    await hub.to('a').emit('x', 1);
    expect((await got).data).toBe(1);
  });
});

describe('a credential that expires in mid-stream', () => {
  // feature: 74
  it('ends the stream, and the guard decides about the return', async () => {
    const users = new Users([['token', 'ann']]);
    const app = await serveStreams(
      {
        sse: {
          authorize: ({ request }) => users.has(String(request.headers.authorization)),
          keepAlive: { intervalMs: 20 },
        },
      },
      users,
    );
    const headers = { authorization: 'token' };
    const stream = await open(app, '/guarded', headers);
    users.delete('token');
    expect(await stream.ended).toMatch(EXPELLED);
    expect((await responded(app.open('/guarded', { headers }))).status).toBe(401);
  });

  // feature: 74
  it.each(ADAPTERS)(
    'of two seconds ends the stream with them, and the guard refuses the return (%s)',
    async (adapter) => {
      const expires = Date.now() + 2_000;
      const users = new Users([['short', 'ann']]);
      setTimeout(() => users.delete('short'), 2_000);
      const authorize = () => ({ until: expires });
      const app = await serveStreams(
        {
          adapter,
          sse: { authorize },
        },
        users,
      );
      const headers = { authorization: 'short' };
      const stream = await open(app, '/guarded', headers);
      const [connection] = app.nest.get(SseConnections).list();
      const endedAt = connection!.closed.then(() => Date.now());
      expect(await stream.ended).toMatch(EXPELLED);
      // A second for a machine that has other things to do.
      expect(await endedAt).toBeLessThan(expires + 1_000);
      await until('the token is over', () => !users.has('short'));
      expect((await responded(app.open('/guarded', { headers }))).status).toBe(401);
    },
  );
});

describe('revoke()', () => {
  it('ends those connections of this process for which it answers true', async () => {
    const app = await serveStreams();
    const closed = reasons(app);
    const ann = await open(app, '/rooms?rooms=a', { 'x-user': 'ann' });
    const bob = await open(app, '/rooms?rooms=a', { 'x-user': 'bob' });
    const revoked = app.nest.get(SseConnections).revoke(({ data }) => data['user'] === 'ann');
    expect(revoked).toBe(1);
    expect(await ann.ended).toMatch(EXPELLED);
    await app.nest.get(Broadcaster).to('a').emit('x', 'still');
    expect((await bob.next()).data).toBe('still');
    expect(closed).toEqual(['auth']);
  });

  it('ends what has not begun, too', async () => {
    let asked = 0;
    const app = await start(() => (asked++ === 0 ? new Promise<boolean>(() => {}) : true));
    const connections = app.nest.get(SseConnections);
    const opening = app.open('/rooms?rooms=a', { headers: { 'x-user': 'ann' } });
    responded(opening).catch(() => {});
    opening.ended.catch(() => {});
    await until('it is being asked', () => asked === 1);
    const ann = await open(app, '/rooms?rooms=a', { 'x-user': 'ann' });
    expect(connections.revoke(({ data }) => data['user'] === 'ann')).toBe(2);
    await opening.closed;
    expect(opening.text).toBe('');
    expect(await ann.ended).toMatch(EXPELLED);
  });

  it('everywhere needs to know whom', async () => {
    const app = await serveStreams();
    await expect(app.nest.get(SseConnections).revokeEverywhere({})).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      message: expect.stringContaining('closeAll()'),
    });
  });

  it('everywhere takes no fact that JSON would leave out', async () => {
    const app = await serveStreams();
    await open(app, '/rooms?rooms=a', { 'x-user': 'ann' });
    const connections = app.nest.get(SseConnections);
    const facts = { user: undefined } as unknown as { user: string };
    await expect(connections.revokeEverywhere(facts)).rejects.toMatchObject({
      code: 'SSE_OPTIONS',
      path: 'revokeEverywhere().user',
    });
    expect(connections.count).toBe(1);
  });

  it('everywhere can be asked for as soon as a service has the connections', async () => {
    let sent: Promise<void> | undefined;
    @Controller()
    class Early {
      constructor(connections: SseConnections) {
        sent = connections.revokeEverywhere({ user: 'ann' });
      }
    }
    await serve(Early);
    expect(await sent).toBeUndefined();
    expect(sent).toBeInstanceOf(Promise);
  });

  it('has a way of its own that no stream can read or write', async () => {
    const app = await serveStreams();
    const control = app.open('/rooms?rooms=sse:control');
    expect((await responded(control)).status).toBe(400);
    await expect(
      app.nest.get(Broadcaster).publish('sse:control', { data: '{"revoke":{"user":"ann"}}' }),
    ).rejects.toMatchObject({ code: 'SSE_INVALID_FIELD' });
    expect(app.nest.get(Broadcaster).rooms()).toEqual([]);
  });
});

describe.each(ADAPTERS)('authorize by patterns of rooms, on %s', (adapter) => {
  const rules = (isOpen: { value: boolean }): AuthorizeRooms => ({
    news: true,
    // The line in the log is once for each set of patterns.
    [`only on ${adapter}`]: true,
    'project.:id': ({ request }, { id }) =>
      isOpen.value && request.headers['x-user'] === `of ${id}`,
  });
  const startWith = (authorize: AuthorizeRooms, more: SseModuleOptions = {}) =>
    serveStreams({ adapter, sse: { authorize, ...more } });

  it('lets in who may read all rooms, and answers others 403', async () => {
    const app = await startWith(rules({ value: true }));
    await open(app, '/rooms?rooms=news,project.7', { 'x-user': 'of 7' });
    for (const rooms of ['project.8', 'news,project.8', 'project.7.secret', 'other']) {
      const refused = app.open(`/rooms?rooms=${rooms}`, { headers: { 'x-user': 'of 7' } });
      expect((await responded(refused)).status).toBe(403);
    }
    expect(app.logged.join()).toMatch(/room "project.7.secret" was refused, because no pattern/);
    expect(app.nest.get(Broadcaster).rooms()).toEqual(['news', 'project.7']);
  });

  it('asks again, and ends the stream that may no longer read', async () => {
    const isOpen = { value: true };
    const app = await startWith(rules(isOpen), { keepAlive: { intervalMs: 60 } });
    const stream = await open(app, '/rooms?rooms=project.7', { 'x-user': 'of 7' });
    isOpen.value = false;
    expect(await stream.ended).toMatch(EXPELLED);
  });

  it('gives way to what a stream has of its own', async () => {
    const app = await startWith({ nothing: true });
    await open(app, '/by-pattern/open.7');
    expect((await responded(app.open('/by-pattern/other'))).status).toBe(403);
  });

  it('is refused at start-up for a wrong pattern', async () => {
    await expect(startWith({ 'a.*': true })).rejects.toThrow(/^authorize\["a\.\*"\]: the pattern/);
    expect(() => SseModule.forFeature([{ name: 'x', authorize: { '': true } }])).toThrow(
      /^forFeature\[0\]\.authorize\[""\]: expected a pattern/,
    );
  });
});

describeRedis('revokeEverywhere() over three processes', () => {
  it('ends the connections of all of them, and those of a process that was cut off when it is back', async () => {
    const redis = await startRedis();
    const log = () => redisEventLog({ url: redis.url, probeIntervalMs: 200 });
    const apps = await Promise.all(
      [1, 2, 3].map(() => serveStreams({ sse: { log: log(), serialize: () => 'own' } })),
    );
    const streams = (user: string) =>
      Promise.all(apps.map((app) => open(app, '/rooms?rooms=a', { 'x-user': user })));
    const [anns, bobs] = [await streams('ann'), await streams('bob')];
    const began = performance.now();
    await apps[0]!.nest.get(SseConnections).revokeEverywhere({ user: 'ann' });
    for (const ann of anns) expect(await ann.ended).toMatch(EXPELLED);
    console.log(`Revoked on three processes after ${Math.round(performance.now() - began)} ms`);

    // Nobody hears it; it is read from the log afterwards.
    const cut = redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await apps[1]!.nest.get(SseConnections).revokeEverywhere({ user: 'bob' });
    await cut;
    for (const bob of bobs) expect(await bob.ended).toMatch(EXPELLED);
    await redis.stop();
  }, 20_000);
});
