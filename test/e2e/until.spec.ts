import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseStream, type HubStreamOptions, type SseMessage } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { merge } from 'rxjs';
import { hubOf } from '../../lib/hub/hub.js';
import { describeRedis, startRedis, stopAllRedis } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';

interface JobEvents {
  token: string;
  done: { reason: string };
}

const MANY = Array.from({ length: 40 }, (_none, n) => `job ${n}`);

@Controller()
class Jobs {
  /** Of `/job`. */
  options: HubStreamOptions<JobEvents> = {};
  constructor(readonly hub: Broadcaster<JobEvents>) {}
  @SseStream('job', { onComplete: 'close' }) job() {
    return this.hub.stream('job', { until: ['done'], ...this.options });
  }
  @SseStream('two', { onComplete: 'close' }) two() {
    return this.hub.stream(['job', 'other'], { until: ['done'] });
  }
  @SseStream('many', { onComplete: 'close' }) many() {
    return this.hub.stream(MANY, { until: ['done'] });
  }
  @SseStream('both', { onComplete: 'close' }) both() {
    return merge(this.job(), this.hub.stream('other', { until: ['done'] }));
  }
}

const END = { type: 'sse-end', id: 'sse-end', data: { reason: 'complete' } };

describe.each(ADAPTERS)('a stream that has an end (%s)', (adapter) => {
  it('completes after its last event, for all who read it', async () => {
    const { open, token, done } = await start(adapter);
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
    const { open, token, done } = await start(adapter);
    const seen = await token('a');
    await token('b');
    await done();
    const back = open(seen);
    await back.ended;
    expect(back.events).toMatchObject([{ data: 'b' }, { type: 'done' }, END]);
  });

  it('is at the end at once for a client that has read the last event and not that it was the last', async () => {
    const { open, token, done } = await start(adapter);
    await token('a');
    const back = open(await done());
    await back.ended;
    expect(back.events).toEqual([END]);
  });

  it('is at the end at once for a client that is new', async () => {
    const { open, done } = await start(adapter);
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toEqual([END]);
  });

  it('completes after the last event of a rewind', async () => {
    const { open, token, done } = await start(adapter, {}, { rewind: 10 });
    await token('a');
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('completes after a last message of the snapshot, and gives nothing that follows it', async () => {
    const last: SseMessage = { type: 'done', data: { reason: 'kept elsewhere' } };
    const { open } = await start(adapter, {}, { snapshot: async () => [last, { data: 'never' }] });
    const late = open();
    await late.ended;
    expect(late.events).toMatchObject([{ type: 'done' }, END]);
  });

  it('tells the gap of a client that has missed too much, and then the end', async () => {
    const { open, token, done } = await start(adapter, { kept: 2 });
    const seen = await token('a');
    for (const text of ['b', 'c']) await token(text);
    await done();
    const back = open(seen);
    await back.ended;
    expect(back.events).toMatchObject([{ type: 'sse-gap' }, END]);
  });

  it('gives nothing after the last message of a snapshot beside a stream that goes on', async () => {
    const last: SseMessage = { type: 'done', data: { reason: 'kept elsewhere' } };
    const { app, open } = await start(
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

  it('has its last event whatever its types are', async () => {
    const { open, token, done } = await start(adapter, {}, { types: ['token'] });
    const reader = open();
    await begun(reader);
    await token('a');
    await done();
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('does not end after an event that its filter leaves out, be it live, replayed or the newest that is kept', async () => {
    const { open, token, done } = await start(
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
    const { app, open, done } = await start(adapter);
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
    const { app, open, done } = await start(adapter);
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
    const { open, done } = await start(adapter, {}, { lastEventId: false });
    await done();
    const late = open();
    await late.ended;
    expect(late.events).toEqual([END]);
  });

  it('goes on where something was published after an earlier last event', async () => {
    const { open, token, done } = await start(adapter);
    const first = await done();
    await token('again');
    const stream = open(first);
    expect(await stream.next()).toMatchObject({ data: 'again' });
    await done();
    await stream.ended;
  });

  it('ends without history too, for those who are there', async () => {
    const { open, token, done } = await start(adapter, { kept: false });
    const reader = open();
    await begun(reader);
    await token('a');
    await done();
    await reader.ended;
    expect(reader.events).toMatchObject([{ data: 'a' }, { type: 'done' }, END]);
  });

  it('gives a stream with ids of its own the end as well', async () => {
    const { open, done } = await start(adapter, {}, { lastEventId: false });
    const reader = open();
    await begun(reader);
    await done();
    await reader.ended;
    expect(reader.events).toMatchObject([{ type: 'done', id: undefined }, END]);
  });

  it('closes the client for good, which has read each event once over its reconnects', async () => {
    const { app, open, token, done } = await start(adapter);
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

async function start(
  adapter: Adapter,
  { kept = 1_000 }: { kept?: number | false } = {},
  options: HubStreamOptions<JobEvents> = {},
) {
  const history = kept === false ? false : { maxEvents: kept };
  const app = await serve(Jobs, { adapter, sse: { history, retry: 1 } });
  const jobs = app.nest.get(Jobs);
  jobs.options = options;
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

const begun = (stream: TestStream) => stream.until(({ text }) => text.includes('connected'));
