// Jobs of a real BullMQ queue as runs, on a real Redis: readers of two web processes, workers here
// and in a process that is killed, connections that break, and events that are deleted.
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Controller, Get, Param, Post, type OnModuleDestroy } from '@nestjs/common';
import { Queue, QueueEvents, UnrecoverableError, Worker, type Job } from 'bullmq';
import { SseConnections, SseStream } from 'nestjs-eventstream';
import { jobRuns, listenForStops, type JobRunsOptions } from 'nestjs-eventstream/bullmq';
import { connect } from 'nestjs-eventstream/client';
import { RecipeProcess } from '../support/recipe-process.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { responded } from '../support/stream-client.js';
import { until } from '../support/until.js';

describeRedis('jobs of BullMQ as runs', () => {
  let redis: RedisServer;
  let name: string;
  let queue: Queue;
  let one: TestApp;
  let other: TestApp;
  const closing: (() => Promise<unknown>)[] = [];
  const connection = (): { url: string } => ({ url: redis.url });

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    name = `jobs-${randomUUID().slice(0, 8)}`;
    queue = new Queue(name, { connection: connection() });
    closing.push(() => queue.close());
    [one, other] = await Promise.all([start(), start()]);
  });
  afterEach(async () => {
    await Promise.all([one.close(), other.close()]);
    while (closing.length > 0) await closing.pop()?.();
  });

  /** A web process: it has a queue and `QueueEvents` of its own. */
  async function start(options: JobRunsOptions = {}, autorun = true): Promise<TestApp> {
    const own = new Queue(name, { connection: connection() });
    const events = new QueueEvents(name, { connection: connection(), autorun });
    own.on('error', () => {});
    events.on('error', () => {});
    const jobs = jobRuns(own, events, { pollMs: 50, result: (value) => value, ...options });

    @Controller('jobs')
    class App implements OnModuleDestroy {
      @SseStream(':id', { onComplete: 'close' }) follow(@Param('id') id: string) {
        return jobs.follow(id);
      }
      @SseStream(':id/or-404', { onComplete: 'close' }) strict(@Param('id') id: string) {
        return jobs.follow(id, { none: 404 });
      }
      @SseStream(':id/short', { onComplete: 'close' }) short(@Param('id') id: string) {
        return jobs.follow(id, {
          map: ({ data, id: eventId }) => ({ data, id: eventId }),
          end: ({ state }) => ({ type: 'over', data: state }),
        });
      }
      @Post(':id/stop') stop(@Param('id') id: string) {
        return jobs.stop(id);
      }
      @Get(':id/status') async status(@Param('id') id: string) {
        return { status: await jobs.status(id) };
      }
      async onModuleDestroy() {
        jobs.close();
        await Promise.all([own.close(), events.close()]);
      }
    }
    return serve(App, { sse: { retry: 1 } });
  }

  /** A worker in this process. */
  async function work(run: (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>) {
    const worker = new Worker(name, run, { connection: connection(), concurrency: 100 });
    closing.push(() => worker.close(true));
    await worker.waitUntilReady();
    return worker;
  }

  const stepsOf = async (job: Job): Promise<unknown> => {
    for (let step = 1; step <= job.data.steps; step++) {
      await job.log(`line ${step}`);
      await job.updateProgress({ step });
    }
    return { done: job.data.steps };
  };

  async function add(steps: number, options: object = {}): Promise<string> {
    const id = randomUUID();
    await queue.add('job', { steps }, { jobId: id, ...options });
    return id;
  }

  const untilState = (id: string, state: string): Promise<void> =>
    until(`it is ${state}`, async () => (await queue.getJobState(id)) === state);

  const count = (to: number, from = 1): number[] =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index);

  it('give all readers in all processes each progress and each line once', async () => {
    const id = await add(20);
    const live = [read(one, id), read(other, id)];
    await work(stepsOf);
    const all = {
      progress: count(20).map((step) => ({ step })),
      lines: count(20).map((step) => `line ${step}`),
      end: { state: 'finished', result: { done: 20 } },
      gaps: [],
    };
    expect(await Promise.all(live)).toMatchObject([all, all]);
    // After the end, and in a process that starts later.
    const late = await start();
    expect([await read(one, id), await read(late, id)]).toMatchObject([all, all]);
    const { status } = (await (await fetch(`${late.url}/jobs/${id}/status`)).json()) as never;
    expect(status).toMatchObject({ id, state: 'finished', result: { done: 20 } });
  });

  it('put a line before the progress that was told after it', async () => {
    const id = await add(10);
    const reading = read(one, id);
    await work(stepsOf);
    for (const { order } of [await reading, await read(other, id)]) {
      const places = new Map(order.map((text, index) => [text, index]));
      for (const step of count(10)) {
        expect(places.get(`line ${step}`)).toBeLessThan(places.get(`{"step":${step}}`)!);
      }
    }
  });

  it('give a client that returns to any process exactly what it has missed', async () => {
    const id = await add(12);
    const reading = read(one, id);
    await work(stepsOf);
    const { ids, seen } = await reading;
    const late = await start();
    for (const app of [one, other, late]) {
      for (const [index, lastEventId] of ids.entries()) {
        const rest = await read(app, id, { lastEventId });
        expect(rest.gaps).toEqual([]);
        const all = [...seen.slice(0, index + 1), ...rest.seen].sort();
        expect(all).toEqual([...seen].sort());
      }
    }
  }, 60_000);

  it('give readers that flap between processes each message once', async () => {
    const id = await add(200);
    const readers = Array.from({ length: 30 }, async (_, no) => {
      const seen: string[] = [];
      let lastEventId: string | undefined;
      for (let turn = no; ; turn++) {
        const app = [one, other][turn % 2]!;
        const part = await read(app, id, { lastEventId, max: 1 + ((turn * 7) % 60) });
        expect(part.gaps).toEqual([]);
        seen.push(...part.seen);
        lastEventId = part.ids.at(-1) ?? lastEventId;
        if (part.end !== undefined) return seen;
      }
    });
    await work(stepsOf);
    const expected = count(200).flatMap((step) => [`line ${step}`, `{"step":${step}}`]);
    for (const seen of await Promise.all(readers)) {
      const [lines, steps] = [seen.filter((text) => text.startsWith('line')), seen.filter(isStep)];
      expect(lines).toEqual(expected.filter((text) => !isStep(text)));
      expect(steps).toEqual(expected.filter(isStep));
    }
  }, 120_000);

  it('follow 50 jobs over one connection', async () => {
    await Promise.all([one, other].map((app) => fetch(`${app.url}/jobs/none`)));
    const connections = async (): Promise<number> => {
      const list = await redis.command('CLIENT', 'LIST');
      return list.trim().split('\n').length;
    };
    // The queue's of the test; of each web process the queue's and that of `QueueEvents`. And this.
    expect(await connections()).toBe(6);
    const ids = await Promise.all(count(50).map(() => add(5)));
    const readings = ids.flatMap((id) => [read(one, id), read(other, id)]);
    await until('all are read', async () => {
      const { clients } = await clientsOf([one, other]);
      return clients >= 100;
    });
    expect(await connections()).toBe(6);
    await work(stepsOf);
    for (const { progress, end } of await Promise.all(readings)) {
      expect(progress).toEqual(count(5).map((step) => ({ step })));
      expect(end).toMatchObject({ state: 'finished' });
    }
  }, 60_000);

  it('hide why a job has failed, unless the app shows it', async () => {
    const open = await start({ reason: (reason) => reason.toUpperCase() });
    const id = await add(1);
    const readings = [read(one, id), read(open, id)];
    await work(async () => {
      throw new Error('password=x');
    });
    const hidden = {
      state: 'failed',
      error: { statusCode: 500, message: 'Internal server error' },
    };
    const shown = { state: 'failed', error: { statusCode: 500, message: 'PASSWORD=X' } };
    expect((await Promise.all(readings)).map(({ end }) => end)).toEqual([hidden, shown]);
    // From the record.
    await trim();
    const apps = [await start(), await start({ reason: (reason) => reason.toUpperCase() })];
    const ends = await Promise.all(apps.map(async (app) => (await read(app, id)).end));
    expect(ends).toEqual([hidden, shown]);
  });

  it('answer 204 or 404 for an id of no job', async () => {
    await add(1);
    // The last ones are keys of the queue.
    for (const id of [randomUUID(), 'meta', 'events', 'wait', 'id']) {
      expect([id, (await fetch(`${one.url}/jobs/${id}`)).status]).toEqual([id, 204]);
    }
    const strict = await fetch(`${one.url}/jobs/none/or-404`);
    expect([strict.status, await strict.json()]).toMatchObject([404, { reason: 'unknown' }]);
  });

  it('answer from the record when the events of a job are gone', async () => {
    const id = await add(5);
    await work(stepsOf);
    const { ids } = await read(one, id);
    await trim();
    const late = await start();
    const all = await read(late, id);
    expect(all).toMatchObject({
      progress: [{ step: 5 }],
      lines: count(5).map((step) => `line ${step}`),
      end: { state: 'finished', result: { done: 5 } },
      gaps: [],
    });
    // Who has missed steps is told.
    const back = await read(late, id, { lastEventId: ids[1] });
    expect(back).toMatchObject({ progress: [{ step: 5 }], end: { state: 'finished' } });
    expect(back.gaps).toEqual([{ rooms: [id], reason: 'trimmed' }]);
    const again = await read(late, id, { lastEventId: all.ids.at(-1) });
    expect(again).toMatchObject({ seen: [], gaps: [], end: { state: 'finished' } });
  });

  it('tell the end of a job that BullMQ removes at its end', async () => {
    const id = await add(2, { removeOnComplete: true });
    const reading = read(one, id);
    await work(stepsOf);
    const expected = { progress: [{ step: 1 }, { step: 2 }], end: { state: 'finished' } };
    expect(await reading).toMatchObject(expected);
    expect(await read(other, id)).toMatchObject(expected);
  });

  it('follow another attempt, and a job that is started again after its end', async () => {
    const id = await add(1, { attempts: 2 });
    const reading = read(one, id);
    let isBroken = true;
    await work(async (job) => {
      await job.updateProgress(job.attemptsStarted);
      if (job.attemptsStarted === 1) throw new Error('no');
      if (isBroken) throw new Error('still no');
      return 'yes';
    });
    expect(await reading).toMatchObject({ progress: [1, 2], end: { state: 'failed' } });
    isBroken = false;
    await (await queue.getJob(id))!.retry();
    await untilState(id, 'completed');
    for (const app of [one, other, await start()]) {
      await until('the end is read', async () => {
        const { end, progress } = await read(app, id);
        return (end as { state: string }).state === 'finished' && progress.length === 3;
      });
    }
  });

  it('begin again for a client of an earlier job with the same id', async () => {
    const worker = await work(stepsOf);
    const id = await add(3);
    const { ids } = await read(one, id);
    await queue.remove(id);
    expect((await fetch(`${one.url}/jobs/${id}`)).status).toBe(204);
    await queue.add('job', { steps: 4 }, { jobId: id });
    await untilState(id, 'completed');
    await worker.close();
    for (const app of [one, other, await start()]) {
      const { progress, lines, gaps } = await read(app, id, { lastEventId: ids.at(-1) });
      expect(progress).toEqual(count(4).map((step) => ({ step })));
      expect(lines).toEqual(count(4).map((step) => `line ${step}`));
      expect(gaps).toEqual([{ rooms: [id], reason: 'unknown' }]);
    }
  });

  it('send their messages as the app maps them', async () => {
    const id = await add(1);
    await work(stepsOf);
    await untilState(id, 'completed');
    const text = await (await fetch(`${one.url}/jobs/${id}/short`)).text();
    expect(text).toMatch(/^data: \{"line":"line 1"\}\nid: job\./m);
    expect(text).toContain('event: over\ndata: finished\n');
  });

  it('miss nothing when the connection of QueueEvents breaks', async () => {
    const id = await add(40);
    const reading = read(one, id);
    await work(async (job) => {
      for (let step = 1; step <= 40; step++) {
        if (step % 10 === 0) await killQueueEvents();
        await job.updateProgress({ step });
      }
      await until('they listen again', async () => {
        const list = await redis.command('CLIENT', 'LIST');
        return list.match(/ flags=b .*cmd=xread /g)?.length === 2;
      });
    });
    const { progress, gaps } = await reading;
    expect(progress).toEqual(count(40).map((step) => ({ step })));
    expect(gaps).toEqual([]);
  }, 60_000);

  it('read events themselves as long as QueueEvents gives none', async () => {
    const silent = await start({}, false);
    const id = await add(5);
    const reading = read(silent, id);
    await work(stepsOf);
    expect(await reading).toMatchObject({
      progress: count(5).map((step) => ({ step })),
      end: { state: 'finished' },
    });
  });

  it('tell a gap when events were deleted before they were read', async () => {
    const silent = await start({ pollMs: 3_000_000 }, false);
    const id = await add(3);
    let next = (): void => {};
    const first = new Promise<void>((resolve) => (next = resolve));
    const stream = await responded(silent.open(`/jobs/${id}`));
    await work(async (job) => {
      await job.updateProgress(1);
      await job.updateProgress(2);
      await trim();
      await job.updateProgress(3);
      await first;
    });
    await until('it is at 3', async () => (await queue.getJob(id))?.progress === 3);
    // The next newcomer reads.
    const second = await add(0);
    const reading = read(silent, second);
    await until('it has the progress', () => stream.events.length >= 2);
    expect(stream.events.slice(0, 2)).toMatchObject([
      { type: 'sse-gap', data: { rooms: [id], reason: 'trimmed' } },
      { type: 'progress', data: 3 },
    ]);
    next();
    await untilState(id, 'completed');
    await untilState(second, 'completed');
    await fetch(`${silent.url}/jobs/none`);
    expect((await read(silent, id)).end).toEqual({ state: 'finished', result: null });
    await reading;
  });

  it('tell when BullMQ deletes lines of a log', async () => {
    const id = await add(10, { keepLogs: 4 });
    const reading = read(one, id);
    await work(stepsOf);
    const { gaps, progress, end } = await reading;
    expect(gaps).toEqual([{ rooms: [id], reason: 'trimmed' }]);
    expect(progress).toHaveLength(10);
    expect(end).toMatchObject({ state: 'finished' });
  });

  it('stop a job that waits', async () => {
    const id = await add(1);
    const readings = [read(one, id), read(other, id)];
    await until('both read', async () => (await clientsOf([one, other])).clients === 2);
    const response = await post(other, id);
    expect([response.status, await response.json()]).toMatchObject([201, { state: 'stopped' }]);
    for (const { end } of await Promise.all(readings)) expect(end).toEqual({ state: 'stopped' });
    expect(await queue.getJobState(id)).toBe('unknown');
    // Its events still say how it has ended.
    expect((await read(await start(), id)).end).toEqual({ state: 'stopped' });
  });

  it('stop a job that is active, if its worker listens', async () => {
    const id = await add(1, { attempts: 3 });
    const deaf = await add(1);
    const aborted = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    const worker = await work(async (job, _token, signal) => {
      if (job.id === deaf) return new Promise(() => {});
      await aborted(signal!);
      throw new UnrecoverableError('aborted');
    });
    const workerEvents = new QueueEvents(name, { connection: connection() });
    closing.push(() => workerEvents.close());
    await workerEvents.waitUntilReady();
    const stopListening = listenForStops(worker, workerEvents);
    const reading = read(one, id);
    await untilState(id, 'active');
    const response = await post(other, id);
    expect([response.status, await response.json()]).toMatchObject([201, { state: 'stopped' }]);
    expect((await reading).end).toEqual({ state: 'stopped' });
    const again = await post(one, id);
    expect([again.status, await again.json()]).toMatchObject([
      409,
      { code: 'SSE_RUN', reason: 'over', message: expect.stringContaining('nothing to stop') },
    ]);
    expect((await post(one, 'none')).status).toBe(404);

    const app = await start({ stopMs: 300 });
    const refused = await post(app, deaf);
    expect([refused.status, await refused.json()]).toMatchObject([
      409,
      { reason: 'active', message: expect.stringContaining('listenForStops(worker, queueEvents)') },
    ]);
    stopListening();
  }, 30_000);

  it('remove what is left of a job whose worker throws any error when it is stopped', async () => {
    const id = await add(1, { attempts: 3, backoff: 60_000 });
    const worker = await work(async (_job, _token, signal) => {
      await new Promise((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(new Error('aborted')));
      });
    });
    const workerEvents = new QueueEvents(name, { connection: connection() });
    closing.push(() => workerEvents.close());
    listenForStops(worker, workerEvents);
    const reading = read(one, id);
    await untilState(id, 'active');
    expect(await (await post(other, id)).json()).toMatchObject({ state: 'stopped' });
    expect((await reading).end).toEqual({ state: 'stopped' });
  });

  it('end for readers when a job disappears without an event', async () => {
    const id = await add(1);
    const reading = read(one, id);
    await until('it is read', async () => (await clientsOf([one])).clients === 1);
    // Of many jobs at once; BullMQ writes one event for all.
    await queue.clean(0, 100, 'wait');
    expect((await reading).end).toEqual({ state: 'stopped' });
  });

  it('go on when the worker is killed, and another one takes the job', async () => {
    const gate = new Gate();
    const env = { REDIS_URL: redis.url, GATE_URL: await gate.listen(), QUEUE: name };
    const workers: RecipeProcess[] = [];
    const startWorker = (): void => {
      workers.push(new RecipeProcess('../../test/support/apps/bullmq-worker.ts', env));
    };
    closing.push(async () => {
      gate.close();
      for (const worker of workers) worker.kill();
    });
    startWorker();
    const states = await start({ states: true });
    const id = await add(3);
    const readings = [read(one, id), read(states, id)];
    await gate.answer(id, 1);
    await gate.asked(id, 2);
    workers[0]!.kill('SIGKILL');
    startWorker();
    // From its beginning again, in the other process.
    for (const step of [1, 2, 3]) await gate.answer(id, step);
    const [plain, told] = await Promise.all(readings);
    expect(plain).toMatchObject({
      progress: [1, 1, 2, 3],
      lines: [1, 1, 2, 3].map((step) => `step ${step}`),
      end: { state: 'finished', result: { steps: 3 } },
    });
    expect(told!.states).toEqual(['waiting', 'active', 'waiting', 'stalled', 'active']);
  }, 60_000);

  it('refuse wrong arguments with the remedy', () => {
    const events = new QueueEvents(name, { connection: connection(), autorun: false });
    const foreign = new QueueEvents('foreign', { connection: connection(), autorun: false });
    for (const each of [events, foreign]) {
      each.on('error', () => {});
      closing.push(() => each.close());
    }
    expect(() => jobRuns({} as never, events)).toThrow('a Queue of bullmq');
    expect(() => jobRuns(queue, undefined as never)).toThrow('the QueueEvents of bullmq');
    expect(() => jobRuns(queue, foreign)).toThrow('the name and the prefix of the queue');
    expect(() => jobRuns(queue, events, { poll: 1 } as never)).toThrow('did you mean pollMs');
    expect(() => listenForStops({} as never, events)).toThrow('that has cancelJob()');
    const jobs = jobRuns(queue, events);
    expect(() => jobs.follow('')).toThrow('1 to 128 characters');
    expect(() => jobs.follow('a', { none: 200 as never })).toThrow('204 or 404');
    jobs.close();
    expect(events.listenerCount('progress')).toBe(0);
  });

  /** Deletes all events of the queue, as many later ones do. */
  async function trim(): Promise<void> {
    const key = queue.toKey('events');
    await redis.command('XADD', key, '*', 'event', 'later');
    await redis.command('XTRIM', key, 'MAXLEN', '1');
  }

  async function killQueueEvents(): Promise<void> {
    const list = await redis.command('CLIENT', 'LIST');
    for (const [, id = ''] of list.matchAll(/^id=(\d+) .* flags=b .*cmd=xread/gm)) {
      await redis.command('CLIENT', 'KILL', 'ID', id);
    }
  }

  const post = (app: TestApp, id: string): Promise<Response> =>
    fetch(`${app.url}/jobs/${id}/stop`, { method: 'POST' });
});

/** Answers each step of a worker's job when the test says so. */
class Gate {
  private readonly waiting = new Map<string, ServerResponse>();
  private readonly server = createServer(({ url = '' }, response) => {
    this.waiting.set(url, response);
    response.on('close', () => {
      if (this.waiting.get(url) === response) this.waiting.delete(url);
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  asked(id: string, step: number): Promise<void> {
    return until(`step ${step} is asked for`, () => this.waiting.has(`/${id}/${step}`));
  }

  async answer(id: string, step: number): Promise<void> {
    await this.asked(id, step);
    this.waiting.get(`/${id}/${step}`)?.end();
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** Reads a job to its end, or up to `max` messages. */
async function read(
  app: TestApp,
  id: string,
  { lastEventId, max = Infinity }: { lastEventId?: string | undefined; max?: number } = {},
) {
  const progress: unknown[] = [];
  const lines: string[] = [];
  const states: unknown[] = [];
  const ids: string[] = [];
  /** Progress as JSON, and lines. */
  const order: string[] = [];
  const gaps: unknown[] = [];
  let end: unknown;
  const stream = connect(`${app.url}/jobs/${id}`, { lastEventId });
  for await (const { type, data, id: eventId } of stream) {
    if (type === 'run-end') end = data;
    else if (type === 'sse-gap') gaps.push(data);
    else if (type === 'state') states.push((data as { state: string }).state);
    else if (type === 'log') {
      const { line } = data as { line: string };
      lines.push(line);
      order.push(line);
    } else if (type === 'progress') {
      progress.push(data);
      order.push(JSON.stringify(data));
    } else continue;
    if (type === 'log' || type === 'progress') ids.push(eventId!);
    if (order.length >= max) break;
  }
  stream.close();
  return { progress, lines, states, ids, order, seen: order, gaps, end };
}

const isStep = (text: string): boolean => text.startsWith('{');

async function clientsOf(apps: TestApp[]): Promise<{ clients: number }> {
  const counts = apps.map((app) => app.nest.get(SseConnections).count);
  return { clients: counts.reduce((sum, each) => sum + each, 0) };
}
