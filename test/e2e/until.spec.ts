import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Broadcaster, SseStream, type HubStreamOptions, type SseMessage } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { merge } from 'rxjs';
import { hubOf } from '../../lib/hub/hub.js';
import { describeRedis, startRedis, stopAllRedis } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';

/** What no module has. */
declare function notThere(): boolean;

interface JobEvents {
  token: string;
  done: { reason: string };
}

const MANY = Array.from({ length: 40 }, (_none, n) => `job ${n}`);

@Controller()
class Jobs {
  until: HubStreamOptions<JobEvents>['until'] = ['done'];
  /** Of `/job`. */
  options: HubStreamOptions<JobEvents> = {};
  constructor(readonly hub: Broadcaster<JobEvents>) {}
  @SseStream('job', { onComplete: 'close' }) job() {
    return this.hub.stream('job', { until: this.until, ...this.options });
  }
  @SseStream('two', { onComplete: 'close' }) two() {
    return this.hub.stream(['job', 'other'], { until: this.until });
  }
  @SseStream('many', { onComplete: 'close' }) many() {
    return this.hub.stream(MANY, { until: this.until });
  }
  @SseStream('other') other() {
    return this.hub.stream('job');
  }
  @SseStream('both', { onComplete: 'close' }) both() {
    return merge(this.job(), this.hub.stream('other', { until: this.until }));
  }
}

const END = { type: 'sse-end', id: 'sse-end', data: { reason: 'complete' } };

/** By the type of the last event, or by its data. */
const ENDS: [string, HubStreamOptions<JobEvents>['until']][] = [
  ['types', ['done']],
  ['a function', ({ data }) => typeof data === 'object' && 'reason' in data],
];
const CASES = ADAPTERS.flatMap((adapter) =>
  ENDS.map(([by, until]) => [adapter, by, until] as const),
);

describe.each(CASES)('a stream that has an end (%s, by %s)', (adapter, _by, until) => {
  const begin = startWith(until);

  it('completes after its last event, for all who read it', async () => {
    const { open, token, done } = await begin(adapter);
    const readers = [open(), open()];
    for (const reader of readers) await begun(reader);
    await token('a');
    await done();
    for (const reader of readers) {
      await reader.ended;
      expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
    }
    const after = open('sse-end');
    expect((await responded(after)).status).toBe(204);
  });

  it('gives a client that returns after the end the rest, and the end', async () => {
    const { open, token, done } = await begin(adapter);
    const seen = await token('a');
    await token('b');
    await done();
    const back = open(seen);
    await back.ended;
    expect(back.events).toMatchObject([{ data: 'b' }, { type: 'done' }, END]);
  });

  it('is at the end at once for a client that has read the last event and not that it was the last', async () => {
    const { open, token, done } = await begin(adapter);
    await token('a');
    const back = open(await done());
    await back.ended;
    expect(back.events).toEqual([END]);
  });

  it('is at the end at once for a client that is new', async () => {
    const { open, done } = await begin(adapter);
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toEqual([END]);
  });

  it('completes after the last event of a rewind', async () => {
    const { open, token, done } = await begin(adapter, {}, { rewind: 10 });
    await token('a');
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('completes after a last message of the snapshot, and gives nothing that follows it', async () => {
    const last: SseMessage = { type: 'done', data: { reason: 'kept elsewhere' } };
    const { open } = await begin(adapter, {}, { snapshot: async () => [last, { data: 'never' }] });
    const late = open();
    await late.ended;
    expect(late.events).toMatchObject([{ type: 'done' }, END]);
  });

  it('tells the gap of a client that has missed too much, and then the end', async () => {
    const { open, token, done } = await begin(adapter, { kept: 2 });
    const seen = await token('a');
    for (const text of ['b', 'c']) await token(text);
    await done();
    const back = open(seen);
    await back.ended;
    expect(back.events).toMatchObject([{ type: 'sse-gap' }, END]);
  });

  it('gives nothing after the last message of a snapshot beside a stream that goes on', async () => {
    const last: SseMessage = { type: 'done', data: { reason: 'kept elsewhere' } };
    const { app, open } = await begin(
      adapter,
      {},
      { snapshot: async () => [last, { data: 'never' }] },
    );
    const late = open(undefined, 'both');
    expect(await late.next()).toMatchObject({ type: 'done' });
    await app.nest.get(Jobs).hub.to('other').emit('done', { reason: 'finished' });
    await late.ended;
    expect(late.events).toMatchObject([{ type: 'done' }, { type: 'done' }, END]);
  });

  it('has its last event whatever its types are, or is not asked about it', async () => {
    const { open, token, done } = await begin(adapter, {}, { types: ['token'] });
    const reader = open();
    await begun(reader);
    await token('a');
    await done();
    if (typeof until === 'function') await token('b');
    else await reader.ended;
    const last = typeof until === 'function' ? [{ data: 'b' }] : [{ type: 'done' }, END];
    await reader.until(({ events }) => events.length > last.length);
    expect(reader.events).toMatchObject([{ data: 'a' }, ...last]);
  });

  it('does not end after an event that its filter leaves out, be it live, replayed or the newest that is kept', async () => {
    const { open, token, done } = await begin(
      adapter,
      {},
      { filter: ({ type, data }) => type !== 'done' || data.reason === 'mine' },
    );
    const live = open();
    await begun(live);
    const first = await token('a');
    await done('of another');
    const [returning, late] = [open(first), open()];
    for (const reader of [returning, late]) await begun(reader);
    await token('b');
    await done('mine');
    const rest = [{ data: 'b' }, { type: 'done', data: { reason: 'mine' } }, END];
    for (const reader of [live, returning, late]) await reader.ended;
    expect(live.events).toMatchObject([{ data: 'a' }, ...rest]);
    expect(returning.events).toMatchObject(rest);
    expect(late.events).toMatchObject(rest);
  });

  it('of several rooms ends with the first of them that does, be it live or before', async () => {
    const { app, open, done } = await begin(adapter);
    const { hub } = app.nest.get(Jobs);
    const reader = open(undefined, 'two');
    await begun(reader);
    await hub.to('other').emit('token', 'a');
    await done();
    await hub.to('other').emit('token', 'never');
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
    const late = open(undefined, 'two');
    await late.ended;
    expect(late.events).toEqual([END]);
  });

  it('leaves the other streams of its connection as they are', async () => {
    const { app, open, done } = await begin(adapter);
    const { hub } = app.nest.get(Jobs);
    await done();
    const reader = open(undefined, 'both');
    await begun(reader);
    await hub.to('other').emit('token', 'a');
    await hub.to('other').emit('done', { reason: 'finished' });
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('with ids of its own is at the end at once, too, for who comes later', async () => {
    const { open, done } = await begin(adapter, {}, { lastEventId: false });
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toEqual([END]);
  });

  it('goes on where something was published after an earlier last event', async () => {
    const { open, token, done } = await begin(adapter);
    const first = await done();
    await token('again');
    const stream = open(first);
    expect(await stream.next()).toMatchObject({ data: 'again' });
    await done();
    await stream.ended;
  });

  it('ends without history too, for those who are there', async () => {
    const { open, token, done } = await begin(adapter, { kept: false });
    const reader = open();
    await begun(reader);
    await token('a');
    await done();
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('gives a stream with ids of its own the end as well', async () => {
    const { open, done } = await begin(adapter, {}, { lastEventId: false });
    const reader = open();
    await begun(reader);
    await done();
    await reader.ended;
    expect(reader.events).toMatchObject([{ type: 'done', id: undefined }, END]);
  });

  it('closes the client for good, which has read each event once over its reconnects', async () => {
    const { app, open, token, done } = await begin(adapter);
    const watcher = open();
    await begun(watcher);
    const stream = connect<JobEvents>(`${app.url}/job`, {
      lastEventId: await app.nest.get(Jobs).hub.position(),
    });
    const read: string[] = [];
    const { hub } = app.nest.get(Jobs);
    stream.on('token', ({ data }) => {
      read.push(data);
      if (data === 'a') hub.closeRoom('job');
    });
    await token('a');
    await watcher.closed;
    await token('b');
    await done();
    expect(await stream.closed).toEqual({ reason: 'server' });
    expect(read).toEqual(['a', 'b']);
  });
});

describe('a function that finds the last event', () => {
  it('is asked once about each event that the filter lets through, and in the context of its reader', async () => {
    const asked: unknown[] = [];
    const store = new AsyncLocalStorage<string>();
    @Controller()
    class Own {
      constructor(readonly hub: Broadcaster<JobEvents>) {}
      @SseStream('own') own(@Query('name') name: string) {
        store.enterWith(name);
        return this.hub.stream('job', {
          filter: ({ data }) => data !== 'left out',
          until: ({ data }) => {
            asked.push([store.getStore(), data]);
            return data === 'last';
          },
        });
      }
    }
    const app = await serve(Own);
    const { hub } = app.nest.get(Own);
    const reader = app.open('/own?name=a');
    await begun(reader);
    for (const text of ['first', 'left out', 'last', 'later'])
      await hub.to('job').emit('token', text);
    await reader.ended;
    expect(reader.events.map(({ data }) => data)).toEqual(['first', 'last']);
    expect(asked).toEqual([
      ['a', 'first'],
      ['a', 'last'],
    ]);
  });

  it.each<[string, (event: object) => unknown, string]>([
    ['throws', () => notThere(), 'notThere is not defined'],
    ['returns a promise', async () => true, 'stream().until: expected its function to return true'],
    ['returns nothing', () => {}, 'stream().until: expected its function to return true or false'],
  ])('fails its own stream where it %s, live and at the start', async (_title, until, told) => {
    const { app, open, token } = await start('express', {}, { until: until as () => boolean });
    const { hub } = app.nest.get(Jobs);
    const [reader, other] = [open(), app.open('/other')];
    await begun(reader);
    await begun(other);
    await token('a');
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'sse-error' }]);
    expect(app.logged.join()).toContain(told);
    const late = open();
    await late.ended;
    expect(late.status === 500 || late.events.at(-1)?.type === 'sse-error').toBe(true);
    await hub.to('job').emit('token', 'b');
    expect([await other.next(), await other.next()]).toMatchObject([{ data: 'a' }, { data: 'b' }]);
  });

  it('is not asked about changes of entries, which may end after the last event', async () => {
    const asked: unknown[] = [];
    const { app, open, done } = await start(
      'express',
      {},
      {
        until: ({ type }) => {
          asked.push(type);
          return type === 'done';
        },
      },
    );
    const reader = open();
    await begun(reader);
    await app.nest.get(Jobs).hub.state('job').set('percent', 50);
    await done();
    await reader.ended;
    expect(asked).toEqual(['done']);
    const late = open();
    await late.ended;
    expect(late.events.at(-1)).toEqual(END);
  });
});

/** The newest events of all rooms are as large as they may be, and one room is at its end. */
async function fillMany(hub: Broadcaster<JobEvents>): Promise<void> {
  for (const room of MANY) await hub.to(room).emit('token', 'x'.repeat(1_000_000));
  await hub.to('job 7').emit('done', { reason: 'finished' });
}

it('is at the end at once for new clients of many rooms with large events, in bounded reads', async () => {
  const app = await serve(Jobs, { sse: { history: { maxBytes: 100e6 } } });
  const { hub } = app.nest.get(Jobs);
  await fillMany(hub);
  const { log } = hubOf(hub);
  const read = jest.spyOn(log, 'read');
  const stream = app.open('/many');
  await stream.ended;
  expect(stream.events).toEqual([END]);
  for (const [, { maxBytes }] of read.mock.calls) expect(maxBytes).toBeLessThanOrEqual(1_048_576);
});

describeRedis('a stream that has an end, over processes', () => {
  afterAll(stopAllRedis);

  it('is at the end for many new clients of many rooms with large events', async () => {
    const { url } = await startRedis();
    const sse = { history: { maxBytes: 100e6 }, log: redisEventLog({ url }) };
    const app = await serve(Jobs, { sse });
    await fillMany(app.nest.get(Jobs).hub);
    const clients = Array.from({ length: 10 }, () => app.open('/many'));
    for (const client of clients) {
      await client.ended;
      expect(client.events).toEqual([END]);
    }
  }, 60_000);

  it('completes everywhere, and at once for who comes later', async () => {
    const { url } = await startRedis();
    const sse = { log: redisEventLog({ url }) };
    const [here, there] = [await serve(Jobs, { sse }), await serve(Jobs, { sse })];
    const reader = there.open('/job');
    await begun(reader);
    const room = here.nest.get(Jobs).hub.to('job');
    await room.emit('token', 'a');
    const last = await room.emit('done', { reason: 'finished' });
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
    for (const late of [
      there.open('/job'),
      there.open('/job', { headers: { 'last-event-id': last } }),
    ]) {
      await late.ended;
      expect(late.events).toEqual([END]);
    }
  });
});

function startWith(until: HubStreamOptions<JobEvents>['until']) {
  return (...[adapter, about, options]: Parameters<typeof start>) =>
    start(adapter, about, { until, ...options });
}

async function start(
  adapter: Adapter,
  { kept = 1_000 }: { kept?: number | false } = {},
  options: HubStreamOptions<JobEvents> = {},
) {
  const history = kept === false ? false : { maxEvents: kept };
  const app = await serve(Jobs, { adapter, sse: { history, retry: 1 } });
  const jobs = app.nest.get(Jobs);
  jobs.options = options;
  jobs.until = options.until ?? jobs.until;
  const { hub } = jobs;
  return {
    app,
    open: (lastEventId?: string, path = 'job'): TestStream =>
      app.open(
        `/${path}`,
        lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } },
      ),
    token: (text: string) => hub.to('job').emit('token', text),
    done: (reason = 'finished') => hub.to('job').emit('done', { reason }),
  };
}

function begun(stream: TestStream): Promise<void> {
  return stream.until(({ text }) => text.includes('connected'));
}
