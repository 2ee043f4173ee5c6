// Runs on real sockets: one producer over all processes, readers that come and go, stop from
// anywhere, an end that is told. In memory and on a real Redis with two apps.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  ConflictException,
  Controller,
  Get,
  Param,
  Post,
  RequestMethod,
  ServiceUnavailableException,
} from '@nestjs/common';
import { SseConnections, SseStream, type EventLogFactory } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { redisEventLog } from 'nestjs-eventstream/redis';
import {
  SseRuns,
  SseRunsModule,
  type RunProducer,
  type StartOptions,
} from 'nestjs-eventstream/runs';
import { firstValueFrom } from 'rxjs';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

/** A source that the test feeds. */
class Source {
  started = 0;
  signal: AbortSignal | undefined;
  private readonly items: unknown[] = [];
  private wake = (): void => {};
  private isOver = false;
  private error: unknown;

  readonly producer: RunProducer = (signal) => {
    this.started++;
    this.signal = signal;
    return this.read();
  };

  emit(...items: unknown[]): void {
    this.items.push(...items);
    this.wake();
  }

  end(error?: unknown): void {
    this.isOver = true;
    this.error = error;
    this.wake();
  }

  private async *read(): AsyncIterable<unknown> {
    for (;;) {
      const next = this.items.shift();
      if (next !== undefined) yield next;
      else if (this.error !== undefined) throw this.error;
      else if (this.isOver) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

const sources = new Map<string, Source>();
const sourceOf = (id: string): Source => {
  let source = sources.get(id);
  if (source === undefined) sources.set(id, (source = new Source()));
  return source;
};

@Controller('runs')
class App {
  constructor(readonly runs: SseRuns) {}

  @SseStream(':id', { method: RequestMethod.POST, onComplete: 'close' })
  start(@Param('id') id: string, @Body() options: StartOptions) {
    return this.runs.start(id, sourceOf(id).producer, options);
  }

  @SseStream(':id', { onComplete: 'close' })
  follow(@Param('id') id: string) {
    return this.runs.follow(id);
  }

  @Post(':id/stop') stop(@Param('id') id: string) {
    return this.runs.stop(id);
  }

  @Get(':id/status') async status(@Param('id') id: string) {
    return { status: await this.runs.status(id) };
  }
}

async function startApp(log?: EventLogFactory, history = {}): Promise<TestApp> {
  return serve(App, {
    sse: { retry: 1, log, history },
    module: { imports: [SseRunsModule.forRoot()] },
  });
}

const post = (app: TestApp, path: string, body: object = {}): Promise<Response> =>
  fetch(`${app.url}/runs/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** Starts a run and leaves at once. */
async function begin(app: TestApp, id: string, options: object = {}): Promise<void> {
  const response = await post(app, id, options);
  expect(response.status).toBe(200);
  await response.body?.cancel();
}

/** Reads a run to its end. */
async function readAll(app: TestApp, id: string, lastEventId?: string) {
  const data: unknown[] = [];
  const ids: string[] = [];
  let end: unknown;
  const gaps: unknown[] = [];
  const stream = connect(`${app.url}/runs/${id}`, { lastEventId });
  for await (const event of stream) {
    if (event.type === 'run-end') end = event.data;
    else if (event.type === 'sse-gap') gaps.push(event.data);
    else if (event.type !== 'sse-end') {
      data.push(event.data);
      ids.push(event.id ?? '');
    }
  }
  return { data, end, ids, gaps };
}

const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

function behave(apps: () => readonly [TestApp, TestApp]) {
  const newId = (): string => `run-${randomUUID().slice(0, 8)}`;

  it('are produced once, and outlive the client that has started them', async () => {
    const [one, other] = apps();
    const id = newId();
    const source = sourceOf(id);
    await begin(one, id);
    source.emit(...numbers(3).map((data) => ({ data })));
    const readers = [readAll(one, id), readAll(other, id)];
    const second = post(other, id);
    source.emit({ data: { n: 3 } });
    source.end();
    const expected = { data: numbers(4), end: { state: 'finished' }, gaps: [] };
    expect(await Promise.all(readers)).toMatchObject([expected, expected]);
    const text = await (await second).text();
    expect(text.match(/"n":\d/g)).toEqual(['"n":0', '"n":1', '"n":2', '"n":3']);
    expect(source.started).toBe(1);
    // After the end, as long as it is kept.
    expect(await readAll(other, id)).toMatchObject(expected);
    expect((await post(one, id)).status).toBe(200);
    expect(source.started).toBe(1);
  });

  it('give a client that returns what it has missed, in another process', async () => {
    const [one, other] = apps();
    const id = newId();
    const source = sourceOf(id);
    await begin(one, id);
    source.emit(...numbers(100).map((data) => ({ data })));
    source.end();
    const { ids, data } = await readAll(other, id);
    expect(data).toEqual(numbers(100));
    for (const n of [0, 42, 98]) {
      expect((await readAll(one, id, ids[n])).data).toEqual(numbers(100).slice(n + 1));
      expect((await readAll(other, id, ids[n])).data).toEqual(numbers(100).slice(n + 1));
    }
    const last = await readAll(other, id, ids[99]);
    expect(last).toMatchObject({ data: [], end: { state: 'finished' }, gaps: [] });
    // Of another run, or made up.
    const foreign = await readAll(other, id, ids[0]!.replace(/.$/, '_'));
    expect(foreign.data).toEqual(numbers(100));
    expect(foreign.gaps).toEqual([{ rooms: [id], reason: 'unknown' }]);
  });

  it('are stopped from any process', async () => {
    const [one, other] = apps();
    const id = newId();
    const source = sourceOf(id);
    await begin(one, id);
    source.emit({ data: { n: 0 } });
    const reading = readAll(other, id);
    await until('it works', () => source.signal !== undefined);
    const aborted = once(source.signal!, 'abort');
    const stopped = await post(other, `${id}/stop`);
    expect(await stopped.json()).toMatchObject({ id, state: 'stopped', kind: 'run' });
    await aborted;
    source.emit({ data: 'too late' });
    expect(await reading).toMatchObject({ data: [{ n: 0 }], end: { state: 'stopped' } });
    const again = await post(one, `${id}/stop`);
    expect([again.status, await again.json()]).toMatchObject([
      409,
      { code: 'SSE_RUN', reason: 'over', message: expect.stringContaining('nothing to stop') },
    ]);
  });

  it('answer 204 for an unknown id, and 404 to who would stop it', async () => {
    const [, other] = apps();
    const id = newId();
    expect((await fetch(`${other.url}/runs/${id}`)).status).toBe(204);
    const stopped = await post(other, `${id}/stop`);
    expect([stopped.status, await stopped.json()]).toMatchObject([404, { reason: 'unknown' }]);
    expect(await (await fetch(`${other.url}/runs/${id}/status`)).json()).toEqual({});
  });

  it('fail with a status before the first message, and in the stream after it', async () => {
    const [one, other] = apps();
    const [early, late, secret] = [newId(), newId(), newId()];
    sourceOf(early).end(new ConflictException('no model'));
    const refused = await post(one, early);
    expect([refused.status, await refused.json()]).toMatchObject([409, { message: 'no model' }]);
    expect((await fetch(`${other.url}/runs/${early}`)).status).toBe(409);

    sourceOf(late).emit({ data: { n: 0 } });
    sourceOf(late).end(new ServiceUnavailableException('overloaded'));
    await begin(one, late);
    expect(await readAll(other, late)).toMatchObject({
      data: [{ n: 0 }],
      end: { state: 'failed', error: { statusCode: 503, message: 'overloaded' } },
    });

    sourceOf(secret).emit({ data: { n: 0 } });
    sourceOf(secret).end(new Error('password=x'));
    await begin(one, secret);
    expect((await readAll(other, secret)).end).toEqual({
      state: 'failed',
      error: { statusCode: 500, message: 'Internal server error' },
    });
  });

  it('fail when they get longer than maxBytes', async () => {
    const [one, other] = apps();
    const id = newId();
    sourceOf(id).emit(...Array.from({ length: 40 }, () => ({ data: 'x'.repeat(100) })));
    sourceOf(id).end();
    await begin(one, id, { maxBytes: 1_000 });
    const { data, end } = await readAll(other, id);
    expect(data.length).toBe(9);
    expect(end).toMatchObject({
      state: 'failed',
      error: { code: 'SSE_LIMIT', message: expect.stringContaining('maxBytes is 1000') },
    });
  });

  it('refuse an id of another kind, and one run too many', async () => {
    const [one, other] = apps();
    const [id, second, third] = [newId(), newId(), newId()];
    const concurrency = { key: newId() };
    await begin(one, id, { concurrency });
    const wrongKind = await post(other, id, { kind: 'export' });
    expect([wrongKind.status, await wrongKind.json()]).toMatchObject([409, { reason: 'kind' }]);
    const busy = await post(other, second, { concurrency });
    expect([busy.status, await busy.json()]).toMatchObject([429, { reason: 'busy' }]);
    // The run that is there already takes no place of its own.
    await begin(other, id, { concurrency });
    sourceOf(id).end();
    await readAll(other, id);
    await until('the place is free', async () => {
      const response = await post(other, third, { concurrency });
      await response.body?.cancel();
      return response.status === 200;
    });
    sourceOf(third).end();
  });

  it('are replaced once they have ended, and not before', async () => {
    const [one, other] = apps();
    const id = newId();
    const first = sourceOf(id);
    await begin(one, id, { existing: 'replace' });
    first.emit({ data: 'first' });
    const reading = readAll(other, id);
    const early = await post(other, id, { existing: 'replace' });
    expect([early.status, await early.json()]).toMatchObject([409, { reason: 'running' }]);
    first.end();
    expect(await reading).toMatchObject({ data: ['first'], end: { state: 'finished' } });
    sources.delete(id);
    const second = sourceOf(id);
    // At once, by both processes: one of them starts it, and the other one is refused.
    const answers = await Promise.all(
      apps().map(async (app) => {
        const response = await post(app, id, { existing: 'replace' });
        await response.body?.cancel();
        return response.status;
      }),
    );
    expect(answers.sort((a, b) => a - b)).toEqual([200, 409]);
    expect(second.started).toBe(1);
    second.emit({ data: 'second' });
    second.end();
    for (const app of apps()) {
      expect(await readAll(app, id)).toMatchObject({ data: ['second'], gaps: [] });
    }
    const wrongKind = await post(other, id, { kind: 'export', existing: 'replace' });
    expect([wrongKind.status, await wrongKind.json()]).toMatchObject([409, { reason: 'kind' }]);
  });

  it('give 1 000 readers that flap each message once and in order', async () => {
    const id = newId();
    const source = sourceOf(id);
    await begin(apps()[0], id);
    const count = 100;
    const readers = Array.from({ length: 1_000 }, async (_, no) => {
      const got: number[] = [];
      let lastEventId: string | undefined;
      for (let turn = no; ; turn++) {
        const stream = connect(`${apps()[turn % 2]!.url}/runs/${id}`, { lastEventId });
        let left = 1 + ((turn * 7) % 40);
        let isOver = false;
        for await (const event of stream) {
          if (event.type === 'run-end') isOver = true;
          else got.push((event.data as { n: number }).n);
          lastEventId = event.id || lastEventId;
          if (isOver || left-- === 0) break;
        }
        stream.close();
        if (isOver) return got;
      }
    });
    for (const data of numbers(count)) {
      source.emit({ data });
      await new Promise(setImmediate);
    }
    source.end();
    const expected = numbers(count).map(({ n }) => n);
    for (const got of await Promise.all(readers)) expect(got).toEqual(expected);
  }, 120_000);

  it('keep a backlog below 64 KiB for a reader that is a thousand times slower', async () => {
    const id = newId();
    const [app] = apps();
    const source = sourceOf(id);
    await begin(app, id, { maxBytes: 20_000_000 });
    const connections = app.nest.get(SseConnections);
    const opened = firstValueFrom(connections.opened$);
    const stream = app.open(`/runs/${id}`);
    source.emit({ data: { n: 0 } });
    const connection = await opened;
    await stream.until(() => stream.events.length > 0);
    stream.pause();
    const text = 'x'.repeat(1_000);
    let most = 0;
    for (let n = 1; n < 8_000; n++) {
      source.emit({ data: { n, text } });
      if (n % 10 === 0) await new Promise(setImmediate);
      most = Math.max(most, connection.bufferedBytes);
    }
    source.end();
    await until(
      'it has ended',
      async () => (await app.nest.get(SseRuns).status(id))?.state === 'finished',
      60_000,
    );
    most = Math.max(most, connection.bufferedBytes);
    expect(connections.list()).toContain(connection);
    // The socket's own buffer is full, and nothing waits behind it.
    expect(most).toBeGreaterThan(1_000);
    expect(most).toBeLessThan(65_536);
    stream.resume();
    await stream.ended;
    const types = stream.events.slice(-2).map(({ type }) => type);
    expect(types).toEqual(['run-end', 'sse-end']);
    const got = stream.events.slice(0, -2).map(({ data }) => (data as { n: number }).n);
    expect(got).toEqual(numbers(8_000).map(({ n }) => n));
  }, 120_000);

  it('can be read whole when history keeps less', async () => {
    const id = newId();
    const source = sourceOf(id);
    await begin(apps()[0], id);
    source.emit(...numbers(1_500).map((data) => ({ data })));
    const reading = readAll(apps()[1], id);
    await until('it is written', () => source.signal !== undefined);
    source.end();
    expect((await reading).data).toEqual(numbers(1_500));
    expect((await readAll(apps()[1], id)).data).toEqual(numbers(1_500));
  });

  it('are stopped when nobody has read them for abandonAfterMs', async () => {
    const [one, other] = apps();
    const id = newId();
    const source = sourceOf(id);
    await begin(one, id, { abandonAfterMs: 400 });
    source.emit({ data: { n: 0 } });
    const reader = connect(`${other.url}/runs/${id}`);
    // It is read in the other process, for several times as long.
    const started = performance.now();
    for await (const { data } of reader) {
      if (performance.now() - started > 1_000) break;
      source.emit({ data });
      await new Promise(setImmediate);
    }
    expect(source.signal?.aborted).toBe(false);
    reader.close();
    await once(source.signal!, 'abort');
    await until('it has ended', async () => {
      const { status } = (await (await fetch(`${one.url}/runs/${id}/status`)).json()) as {
        status: { state: string };
      };
      return status.state === 'stopped';
    });
  });
}

describe('runs in memory', () => {
  let app: TestApp;
  const start = async (): Promise<void> => {
    app = await startApp();
  };
  behave(() => [app, app]);
  beforeEach(start);
});

describeRedis('runs on Redis, with two processes', () => {
  let redis: RedisServer;
  let one: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const log = redisEventLog({ url: redis.url, prefix: randomUUID() });
    [one, other] = await Promise.all([startApp(log), startApp(log)]);
  });
  behave(() => [one, other]);

  it('are read in another process when that of the reader shuts down', async () => {
    const id = 'long';
    const source = sourceOf(id);
    await begin(one, id);
    source.emit({ data: { n: 0 } });
    const stream = connect(`${other.url}/runs/${id}`);
    const types: string[] = [];
    stream.subscribe({ next: ({ type }) => types.push(type), error: () => {} });
    await until('it reads', () => types.length === 1);
    await other.close();
    // The response has ended, and the client comes back: it has not seen the end of the run.
    await until('it returns', () => stream.state === 'waiting');
    stream.close();
    expect(types).toEqual(['message']);
    source.end();
    expect(await readAll(one, id)).toMatchObject({ data: [{ n: 0 }], end: { state: 'finished' } });
  });
});
