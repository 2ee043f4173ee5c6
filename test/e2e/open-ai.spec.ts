// Events of OpenAI's Responses API, read by OpenAI's own client: `starting_after` goes on after an
// event, in any process.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Param, Post, Query, RequestMethod } from '@nestjs/common';
import OpenAI, { APIError } from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import type { EventLogFactory } from 'nestjs-eventstream';
import { followOpenAiEvents, OpenAiStream, startOpenAiEvents } from 'nestjs-eventstream/ai';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SseRuns, SseRunsModule } from 'nestjs-eventstream/runs';
import { ReplaySubject } from 'rxjs';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

interface Response {
  readonly events: ReplaySubject<object>;
  signal?: AbortSignal;
}

/** By their ids. The processes of a test share them. */
const responses = new Map<string, Response>();

@Controller('v1/responses')
class App {
  constructor(private readonly runs: SseRuns) {}

  @OpenAiStream('', { method: RequestMethod.POST })
  create() {
    const id = `resp_${randomUUID()}`;
    return startOpenAiEvents(this.runs, id, (signal) => {
      const events = new ReplaySubject<object>();
      responses.set(id, { events, signal });
      events.next({ type: 'response.created', response: { id } });
      return events;
    });
  }

  @OpenAiStream(':id')
  retrieve(@Param('id') id: string, @Query('starting_after') startingAfter?: string) {
    return followOpenAiEvents(this.runs, id, { startingAfter });
  }

  @Post(':id/cancel') cancel(@Param('id') id: string) {
    return this.runs.stop(id);
  }
}

const startApp = (adapter: Adapter, log?: EventLogFactory): Promise<TestApp> =>
  serve(App, { adapter, sse: { log }, module: { imports: [SseRunsModule.forRoot()] } });

const clientOf = ({ url }: TestApp): OpenAI =>
  new OpenAI({ apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 });

const delta = (text: string) => ({ type: 'response.output_text.delta', delta: text });

/** Reads events in the background. */
function reading(events: AsyncIterable<ResponseStreamEvent>) {
  const read = { events: [] as ResponseStreamEvent[], ended: Promise.resolve<unknown>('whole') };
  const pull = async (): Promise<unknown> => {
    try {
      for await (const event of events) read.events.push(event);
      return 'whole';
    } catch (error) {
      return error;
    }
  };
  read.ended = pull();
  return read;
}

async function create(app: TestApp) {
  const stream = await clientOf(app).responses.create({ model: 'local', input: '?', stream: true });
  const asked = reading(stream);
  await until('it is created', () => asked.events.length === 1);
  const [created] = asked.events;
  const id = created?.type === 'response.created' ? created.response.id : '';
  return { id, asked, response: responses.get(id)! };
}

async function retrieve(app: TestApp, id: string, startingAfter?: number) {
  const query = { stream: true as const, starting_after: startingAfter };
  return reading(await clientOf(app).responses.retrieve(id, query));
}

const numbers = ({ events }: { events: ResponseStreamEvent[] }): number[] =>
  events.map(({ sequence_number }) => sequence_number);

function behave(apps: () => readonly [TestApp, TestApp]) {
  it('are numbered, and go on after the one that the client has', async () => {
    const [one, other] = apps();
    const { id, asked, response } = await create(one);
    for (const text of ['one', 'two']) response.events.next(delta(text));
    await until('they are read', () => asked.events.length === 3);
    const resumed = [
      await retrieve(other, id, 0),
      await retrieve(one, id, 1),
      await retrieve(other, id),
    ] as const;
    // Its own numbers give way: a client counts on them.
    response.events.next({ type: 'response.completed', sequence_number: 99, response: { id } });
    response.events.complete();
    for (const { ended } of [asked, ...resumed]) expect(await ended).toBe('whole');
    expect(asked.events).toEqual([
      { type: 'response.created', sequence_number: 0, response: { id } },
      { ...delta('one'), sequence_number: 1 },
      { ...delta('two'), sequence_number: 2 },
      { type: 'response.completed', sequence_number: 3, response: { id } },
    ]);
    expect(resumed.map(numbers)).toEqual([
      [1, 2, 3],
      [2, 3],
      [0, 1, 2, 3],
    ]);
    // After the end, and after the last one.
    const late = await retrieve(other, id, 2);
    const nothing = await retrieve(one, id, 3);
    expect([await late.ended, numbers(late)]).toEqual(['whole', [3]]);
    expect([await nothing.ended, numbers(nothing)]).toEqual(['whole', []]);
  });

  it('end with an error for a run that was stopped', async () => {
    const [one, other] = apps();
    const { id, asked, response } = await create(one);
    const cancelled = await fetch(`${other.url}/v1/responses/${id}/cancel`, { method: 'POST' });
    expect(await cancelled.json()).toMatchObject({ state: 'stopped' });
    expect(response.signal?.aborted).toBe(true);
    const error = await asked.ended;
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'stopped', message: 'The response was stopped.' });
  });
}

describe.each(ADAPTERS)('events of a response (%s)', (adapter) => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp(adapter);
  });
  behave(() => [app, app]);

  it('are written with their types', async () => {
    const { id, response } = await create(app);
    response.events.next(delta('one'));
    response.events.complete();
    const text = await (await fetch(`${app.url}/v1/responses/${id}?starting_after=0`)).text();
    const data = '{"type":"response.output_text.delta","delta":"one","sequence_number":1}';
    expect(text.replace(/^: .*\n\n/, '')).toBe(
      `event: response.output_text.delta\ndata: ${data}\n\n`,
    );
  });

  it.each(['', 'x', '-1', '1.5', '1e3', '9007199254740991', '1&starting_after=2'])(
    'are refused after %j',
    async (startingAfter) => {
      const { id } = await create(app);
      const path = `/v1/responses/${id}?starting_after=${startingAfter}`;
      const response = await fetch(app.url + path);
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { error: { param: 'starting_after', type: 'invalid_request_error' } },
      ]);
    },
  );

  it('are not found if there is no run', async () => {
    await expect(retrieve(app, 'none')).rejects.toMatchObject({ status: 404 });
  });

  it('end with an error, which says no more than a client may know', async () => {
    const { asked, response } = await create(app);
    response.events.error(new Error('password=x'));
    expect(await asked.ended).toMatchObject({ code: 'failed', message: 'Internal server error' });
  });
});

describeRedis('events of a response on Redis, with two processes', () => {
  let redis: RedisServer;
  let one: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const log = redisEventLog({ url: redis.url, prefix: randomUUID() });
    [one, other] = await Promise.all([startApp('express', log), startApp('fastify', log)]);
  });
  behave(() => [one, other]);
});
