// Who is in a room, over real sockets, on both adapters and both logs.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Param, Query } from '@nestjs/common';
import {
  Broadcaster,
  SseStream,
  type PresenceChange,
  type SseConnection,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { map } from 'rxjs';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { Copy } from '../support/state-copy.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** Longer than any test takes. */
const LONG_MS = 600_000;

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('members/:id') member(@Param('id') id: string, @Query('grace') grace: string) {
    return this.open('lobby', id, Number(grace));
  }
  @SseStream('watch') watch() {
    return this.hub.stream('lobby', { presence: { watch: true } });
  }
  @SseStream('operators') operators() {
    return this.watch().pipe(map((event) => event));
  }
  @SseStream('types') types() {
    return this.hub.stream('lobby', {
      types: ['note'],
      filter: ({ data }) => data === 'wanted',
      presence: { watch: true },
    });
  }
  @SseStream('own-ids') ownIds() {
    return this.hub.stream('lobby', { lastEventId: false, presence: { watch: true } });
  }
  @SseStream('guest') guest() {
    return this.hub.stream('lobby', { presence: { member: () => undefined, watch: true } });
  }
  @SseStream('wrong') wrong() {
    const presence = { member: () => ({ id: 7 as unknown as string }) };
    return this.hub.stream('lobby', { presence });
  }
  @SseStream('forbidden') forbidden() {
    return this.hub.stream('lobby', {
      authorize: () => false,
      presence: { member: () => ({ id: 'nobody' }), watch: true },
    });
  }
  @SseStream('both') both(@Query('id') id: string) {
    return this.hub.stream(['lobby', 'hall'], {
      presence: { member: () => ({ id }), watch: true, graceMs: 0 },
    });
  }

  private open(room: string, id: string, graceMs: number) {
    const member = ({ request }: SseConnection) => ({
      id,
      data: { agent: request.headers['user-agent'] },
    });
    return this.hub.stream(room, { presence: { member, graceMs } });
  }
}

type Log = SseModuleOptions['log'];
const NO_LOG = (): Log => undefined;

const headers = { 'user-agent': 'a test' };

async function start(adapter: Adapter, makeLog: () => Log, sse: SseModuleOptions = {}) {
  const serveOne = (): Promise<TestApp> =>
    serve(Streams, { adapter, sse: { log: makeLog(), ...sse } });
  const app = await serveOne();
  const other = makeLog() === undefined ? app : await serveOne();
  const changes: string[] = [];
  const apps = app === other ? [app] : [app, other];
  for (const { nest } of apps) {
    nest
      .get(Broadcaster)
      .presence$.subscribe(({ kind, room, member }: PresenceChange) =>
        changes.push(`${kind} ${room} ${member.id}`),
      );
  }
  const { hub } = app.nest.get(Streams);
  const join = (on: TestApp, id: string, grace = 0): TestStream =>
    on.open(`/members/${id}?grace=${grace}`, { headers });
  const changed = (...expected: string[]): Promise<void> =>
    until(expected.join(', '), () => expected.every((change) => changes.includes(change)));
  const idsIn = async (room = 'lobby'): Promise<string[]> =>
    (await hub.members(room)).map(({ id }) => id);
  return { app, other, hub, changes, join, changed, idsIn };
}

interface Entry {
  readonly room: string;
  readonly key: string;
  readonly value?: { readonly on: readonly string[] };
}

/** The events of a watcher, without what is random. */
const seen = (events: TestStream['events']): string[] =>
  events.map(({ type, data }) => {
    const { room, key } = data as Entry;
    return key === undefined ? type : `${type} ${room} ${key}`;
  });

const SET = (id: string, room = 'lobby'): string => `sse-set sse:presence:${room} ${id}`;
const GONE = (id: string, room = 'lobby'): string => `sse-delete sse:presence:${room} ${id}`;

function members(adapter: Adapter, makeLogs: () => () => Log): void {
  it('are those whose connections are open, and watchers see them come and go', async () => {
    const { app, other, hub, changes, join, changed, idsIn } = await start(adapter, makeLogs());
    const ann = join(app, 'ann');
    await changed('join lobby ann');
    const [listed] = await hub.members('lobby');
    expect(listed).toEqual({
      id: 'ann',
      data: { agent: 'a test' },
      since: expect.any(Number),
    });
    const watcher = other.open('/watch');
    await watcher.take(2);
    const bob = join(other, 'bob');
    await changed('join lobby bob');
    ann.close();
    await changed('leave lobby ann');
    await watcher.take(2);
    expect(seen(watcher.events)).toEqual(['sse-state', SET('ann'), SET('bob'), GONE('ann')]);
    expect(watcher.events[1]!.data).toEqual({
      room: 'sse:presence:lobby',
      key: 'ann',
      value: { ...listed, id: undefined, on: [expect.any(String)] },
    });
    expect(await idsIn()).toEqual(['bob']);
    bob.close();
    await changed('leave lobby bob');
    expect(await idsIn()).toEqual([]);
    expect(changes).toHaveLength(4);
  });

  it('are there once, however many connections they have', async () => {
    const { app, other, changes, join, changed, idsIn } = await start(adapter, makeLogs());
    const first = join(app, 'ann');
    // So that it is a member there, before the connection to the other process ends.
    await changed('join lobby ann');
    const tabs = [first, ...[app, other].map((on) => join(on, 'ann'))];
    for (const tab of tabs) await responded(tab);
    tabs[0]!.close();
    tabs[2]!.close();
    const bob = join(app, 'bob');
    await changed('join lobby bob');
    bob.close();
    await changed('leave lobby bob');
    expect(await idsIn()).toEqual(['ann']);
    tabs[1]!.close();
    await changed('leave lobby ann');
    expect(changes).toHaveLength(4);
  });

  it('stay while they reconnect, to whichever process', async () => {
    const { app, other, hub, changes, join, changed, idsIn } = await start(adapter, makeLogs());
    join(app, 'ann', LONG_MS).close();
    const first = join(app, 'ann', LONG_MS);
    await changed('join lobby ann');
    const [{ since } = { since: 0 }] = await hub.members('lobby');
    first.close();
    await until('it has left', () => app.nest.get(Broadcaster).size('lobby') === 0);
    const second = join(other, 'ann');
    await responded(second);
    const bob = join(other, 'bob');
    await changed('join lobby bob');
    bob.close();
    await changed('leave lobby bob');
    expect(await hub.members('lobby')).toMatchObject([{ id: 'ann', since }]);
    expect(changes.filter((change) => change.endsWith('ann'))).toEqual(['join lobby ann']);
    expect(await idsIn()).toEqual(['ann']);
  });

  it.each(['watch', 'operators', 'types', 'own-ids', 'guest'])(
    'are shown to a client of %s, which is none itself',
    async (path) => {
      const { app, other, join, changed, idsIn } = await start(adapter, makeLogs());
      join(app, 'ann');
      await changed('join lobby ann');
      const watcher = other.open(`/${path}`);
      await watcher.take(2);
      const bob = join(app, 'bob');
      await watcher.take(1);
      bob.close();
      await watcher.take(1);
      expect(seen(watcher.events)).toEqual(['sse-state', SET('ann'), SET('bob'), GONE('bob')]);
      expect(await idsIn()).toEqual(['ann']);
    },
  );

  it('are missed by no client that was away, however much it missed', async () => {
    const sse = { history: { maxEvents: 8 } };
    const { app, other, join, changed } = await start(adapter, makeLogs(), sse);
    const watcher = other.open('/watch');
    const ann = join(app, 'ann');
    await watcher.until(({ cursor, events }) => cursor !== undefined && events.length > 0);
    const { cursor } = watcher;
    watcher.close();
    join(app, 'bob');
    await changed('join lobby bob');
    ann.close();
    await changed('leave lobby ann');
    const back = other.open('/watch', { headers: { 'last-event-id': cursor ?? '' } });
    await back.take(2);
    expect(seen(back.events)).toEqual([SET('bob'), GONE('ann')]);
    back.close();
    for (let n = 0; n < 6; n++) {
      const guest = join(app, `guest ${n}`);
      await changed(`join lobby guest ${n}`);
      guest.close();
      await changed(`leave lobby guest ${n}`);
    }
    const late = other.open('/watch', { headers: { 'last-event-id': cursor ?? '' } });
    let copy = new Copy();
    await late.until(({ events }) => {
      copy = new Copy();
      for (const event of events) copy.take(event);
      return Object.keys(copy.of('sse:presence:lobby')).join() === 'bob';
    });
    expect(copy.gaps).toEqual([]);
  });

  it('are members of each room of their stream, and see those who are in it', async () => {
    const { app, other, changes, changed, idsIn } = await start(adapter, makeLogs());
    const ann = app.open('/both?id=ann');
    await changed('join lobby ann', 'join hall ann');
    const bob = other.open('/both?id=bob');
    await bob.until(({ events }) => {
      const lines = seen(events);
      return [SET('ann'), SET('ann', 'hall'), SET('bob'), SET('bob', 'hall')].every((line) =>
        lines.includes(line),
      );
    });
    expect(await idsIn('hall')).toEqual(['ann', 'bob']);
    ann.close();
    await changed('leave lobby ann', 'leave hall ann');
    expect(changes).toHaveLength(6);
    await bob.until(({ events }) => seen(events).includes(GONE('ann', 'hall')));
  });

  it('are not those that are refused', async () => {
    const { app, other, changes, idsIn } = await start(adapter, makeLogs());
    expect(await responded(app.open('/forbidden'))).toMatchObject({ status: 403 });
    expect(await responded(app.open('/wrong'))).toMatchObject({ status: 500 });
    expect([...app.logged, ...other.logged].join()).toContain(
      'stream().presence.member().id: expected a text of 1 to 512 characters',
    );
    expect(await idsIn()).toEqual([]);
    expect(changes).toEqual([]);
  });
}

describe.each(ADAPTERS)('the members of a room in memory, on %s', (adapter) => {
  members(adapter, () => NO_LOG);
});

describeRedis('the members of a room on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const makeLogs = (): (() => Log) => {
    const prefix = randomUUID();
    return () => redisEventLog({ url: redis.url, prefix });
  };
  members('express', makeLogs);

  it('stay where a process shuts down, for their grace', async () => {
    const { app, other, changes, join, changed, idsIn } = await start('express', makeLogs());
    for (const id of ['ann', 'bob']) join(app, id, 3_000);
    await changed('join lobby ann', 'join lobby bob');
    const closed = app.close();
    await until('no stream is open', () => app.nest.get(Broadcaster).size() === 0);
    const hub = other.nest.get(Broadcaster);
    join(other, 'ann');
    await closed;
    await changed('leave lobby bob');
    expect((await hub.members('lobby')).map(({ id }) => id)).toEqual(['ann']);
    expect(changes.filter((change) => change.endsWith('ann'))).toEqual(['join lobby ann']);
    await expect(idsIn()).rejects.toMatchObject({ code: 'SSE_CLOSED' });
  });
});
