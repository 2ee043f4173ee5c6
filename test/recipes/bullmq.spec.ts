// docs/recipes/bullmq: a real worker process, a real queue, and a client of a web process.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ImportsController } from '../../docs/recipes/bullmq/imports.controller.js';
import { RecipeProcess } from '../support/recipe-process.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { serve, type TestApp } from '../support/serve.js';
import { responded, type TestStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** Answers each request for a page when the test says so. */
class Supplier {
  private readonly waiting = new Map<number, ServerResponse>();
  private readonly server: Server = createServer(({ url = '' }, response) => {
    const page = Number(url.split('=')[1]);
    this.waiting.set(page, response);
    // The worker was told to stop.
    response.on('close', () => {
      if (this.waiting.get(page) === response) this.waiting.delete(page);
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  asked(page: number): Promise<void> {
    return until(`page ${page} is asked for`, () => this.waiting.has(page));
  }

  async answer(page: number, status: number): Promise<void> {
    await this.asked(page);
    this.waiting.get(page)?.writeHead(status).end();
    this.waiting.delete(page);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

describeRedis('the recipe for BullMQ', () => {
  const supplier = new Supplier();
  let redis: RedisServer;
  let worker: RecipeProcess;
  let Imports: typeof ImportsController;

  beforeAll(async () => {
    redis = await startRedis();
    process.env['REDIS_URL'] = redis.url;
    ({ ImportsController: Imports } =
      await import('../../docs/recipes/bullmq/imports.controller.js'));
    const env = { REDIS_URL: redis.url, SUPPLIER_URL: await supplier.listen() };
    worker = new RecipeProcess('bullmq/worker.ts', env);
  });

  afterAll(async () => {
    worker?.kill();
    supplier.close();
    await redis?.stop();
    delete process.env['REDIS_URL'];
  });

  it('gives each progress once, over a failed attempt and a reconnect, and then the end', async () => {
    const app = await start();
    const path = await startImport(app, 5);
    const stream = app.open(path);
    await supplier.answer(1, 200);
    await supplier.answer(2, 503);
    // The second attempt goes on at page 2.
    await supplier.answer(2, 200);
    const seen = [await stream.next('progress'), await stream.next('progress')];
    stream.close();
    await supplier.answer(3, 200);
    await supplier.asked(4);
    const back = app.open(path, { headers: { 'last-event-id': seen[1]!.id! } });
    await responded(back);
    for (const page of [4, 5]) await supplier.answer(page, 200);
    await back.ended;
    expect(seen.map(({ data }) => data)).toEqual([1, 2].map((done) => ({ done, of: 5 })));
    const step = (done: number) => [
      { type: 'log', data: { line: `Page ${done} is imported.` } },
      { type: 'progress', data: { done, of: 5 } },
    ];
    const end = [
      { type: 'run-end', data: { state: 'finished' } },
      { type: 'sse-end', data: { reason: 'complete' } },
    ];
    expect(back.events).toMatchObject([...[3, 4, 5].flatMap(step), ...end]);
    const later = await read(app, path);
    expect(later.filter(({ type }) => type !== 'log')).toMatchObject([
      ...[1, 2, 3, 4, 5].flatMap((done) => step(done).slice(1)),
      ...end,
    ]);
    expect(later.filter(({ type }) => type === 'log')).toHaveLength(5);
  });

  it('ends for the clients of all web processes when no attempt is left', async () => {
    const apps = [await start(), await start()];
    const path = await startImport(apps[0]!, 1);
    const streams = apps.map((app) => app.open(path));
    for (const stream of streams) await responded(stream);
    for (let attempt = 0; attempt < 3; attempt++) await supplier.answer(1, 503);
    for (const stream of streams) {
      await stream.ended;
      expect(stream.events.map(({ type }) => type)).toEqual(['run-end', 'sse-end']);
      expect(stream.events[0]?.data).toMatchObject({ state: 'failed' });
    }
  });

  it('has no stream for a job that the queue does not know', async () => {
    const stream = (await start()).open('/imports/none/events');
    expect((await responded(stream)).status).toBe(404);
  });

  it('stops a job that a worker runs', async () => {
    const app = await start();
    const path = await startImport(app, 2);
    const stream = app.open(path);
    await supplier.asked(1);
    const stopped = await fetch(`${app.url}${path.replace('events', 'stop')}`, { method: 'POST' });
    expect(await stopped.json()).toMatchObject({ state: 'stopped' });
    await stream.ended;
    expect(stream.events.at(-2)?.data).toEqual({ state: 'stopped' });
  });

  it('lets the worker finish its job when it is told to stop', async () => {
    const app = await start();
    const path = await startImport(app, 1);
    const stream = app.open(path);
    await supplier.asked(1);
    worker.kill('SIGTERM');
    await supplier.answer(1, 200);
    await stream.ended;
    expect(stream.events.at(-2)?.data).toEqual({ state: 'finished' });
    expect(await worker.ended).toBe(0);
  });

  const start = (): Promise<TestApp> => serve(Imports);
});

async function startImport({ url }: TestApp, pages: number): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ pages });
  const answer = await fetch(`${url}/imports`, { method: 'POST', headers, body });
  const { id } = (await answer.json()) as { id: string };
  return `/imports/${id}/events`;
}

async function read(app: TestApp, path: string): Promise<TestStream['events']> {
  const stream: TestStream = app.open(path);
  await stream.ended;
  return stream.events;
}
