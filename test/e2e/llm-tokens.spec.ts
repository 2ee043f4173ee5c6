import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { HistoryOptions } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import type { JobEvents } from '../../sample/04-llm-tokens/events.js';
import { JobsModule } from '../../sample/04-llm-tokens/jobs.module.js';
import { JobsService } from '../../sample/04-llm-tokens/jobs.service.js';
import { ANSWERS } from '../../sample/04-llm-tokens/local-model.js';
import { Model } from '../../sample/04-llm-tokens/model.js';
import { servePageOf } from '../../sample/shared/serve-folders.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { SteeredModel } from '../support/steered-model.js';
import { until } from '../support/until.js';

const servePage = servePageOf(join(import.meta.dirname, '../../sample/04-llm-tokens'));

describe.each(ADAPTERS)('LLM tokens (%s)', (adapter) => {
  it('go to all who read the job, and the end closes their clients', async () => {
    const { ask, read, model } = await start(adapter);
    const id = await ask('Hello?');
    const [one, two] = [read(id), read(id)];
    await Promise.all([one.begun, two.begun]);
    model.say('Hello', ' you');
    model.finish();
    for (const reader of [one, two]) {
      expect(await reader.stream.closed).toEqual({ reason: 'server' });
      expect(reader.text).toBe('Hello you');
      expect(reader.seen).toEqual(['answer', 'token', 'token', 'end', 'sse-end']);
    }
  });

  it('go on for a client that returns, after the last one that it has read', async () => {
    const { app, ask, read, model, record } = await start(adapter);
    const id = await ask('Hello?');
    const before = app.open(`/jobs/${id}/events`);
    expect(await before.next()).toMatchObject({ type: 'answer' });
    model.say('a', 'b');
    const [, b] = await before.take(2);
    before.close();
    model.say('c', 'd');
    await until('the job goes on', () => record(id).text === 'abcd');
    const back = read(id, b?.id);
    await until('the rest is read', () => back.text === 'cd');
    model.say('e');
    model.finish();
    await back.stream.closed;
    expect(back.seen).toEqual(['token', 'token', 'token', 'end', 'sse-end']);
    expect(back.text).toBe('cde');
  });

  it('can be stopped while nobody reads, and whoever comes then gets what there was, and the end', async () => {
    const { ask, read, model, record, post } = await start(adapter);
    const id = await ask('Hello?');
    model.say('a');
    await until('the token is there', () => record(id).text === 'a');
    expect((await post(`/jobs/${id}/stop`)).status).toBe(204);
    await until('the job is over', () => record(id).end);
    expect(model.aborted).toBe(1);
    const late = read(id);
    expect(await late.stream.closed).toEqual({ reason: 'server' });
    expect(late.seen).toEqual(['answer', 'end', 'sse-end']);
    expect([late.text, late.end]).toEqual(['a', { reason: 'stopped' }]);
    expect((await post(`/jobs/${id}/stop`)).status).toBe(204);
    expect(record(id).end).toEqual({ reason: 'stopped' });
  });

  it('end with the reason that the model failed', async () => {
    const { app, ask, read, model } = await start(adapter);
    const id = await ask('Hello?');
    const reader = read(id);
    await reader.begun;
    model.say('a');
    model.fail(new Error('out of tokens'));
    await reader.stream.closed;
    expect([reader.text, reader.end]).toEqual(['a', { reason: 'failed' }]);
    expect(app.logged).toEqual(['out of tokens']);
  });

  it('come as one text where they are more than is kept', async () => {
    const { app, ask, read, model, record } = await start(adapter, { maxEvents: 3 });
    const id = await ask('Hello?');
    const before = app.open(`/jobs/${id}/events`);
    expect(await before.next()).toMatchObject({ type: 'answer' });
    model.say('a');
    const a = await before.next();
    before.close();
    model.say('b', 'c', 'd', 'e', 'f');
    await until('they are there', () => record(id).text === 'abcdef');
    const back = read(id, a.id);
    await back.begun;
    model.say('g');
    model.finish();
    await back.stream.closed;
    expect(back.seen).toEqual(['sse-gap', 'answer', 'token', 'end', 'sse-end']);
    expect(back.text).toBe('abcdefg');
  });

  it('come from the record of a job when nothing of it is kept any more', async () => {
    const { ask, read, model, record } = await start(adapter, { maxBytes: 1 });
    const id = await ask('Hello?');
    model.say('a');
    model.finish();
    await until('the job is over', () => record(id).end);
    const late = read(id);
    expect(await late.stream.closed).toEqual({ reason: 'server' });
    expect([late.text, late.end]).toEqual(['a', { reason: 'finished' }]);
  });

  it('are stopped when the app ends, and whoever reads is told', async () => {
    const { app, ask, model } = await start(adapter);
    const reader = app.open(`/jobs/${await ask('Hello?')}/events`);
    expect(await reader.next()).toMatchObject({ type: 'answer' });
    model.say('a');
    await reader.next();
    await app.nest.close();
    expect(await reader.next()).toMatchObject({ type: 'end', data: { reason: 'stopped' } });
    expect(app.logged).toEqual([]);
  });

  it('need a question, and a job', async () => {
    const { post, read } = await start(adapter);
    expect((await post('/jobs', { prompt: '' })).status).toBe(400);
    expect((await post('/jobs/none/stop')).status).toBe(404);
    expect(await read('none').stream.closed).toMatchObject({ error: { status: 404 } });
  });
});

describe('the page of the LLM tokens', () => {
  it('is served with all that it asks for, and may load nothing else', async () => {
    const { app } = await start('express');
    const response = await fetch(app.url);
    const page = await response.text();
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    // The guide and the source are links of the list of all samples, or of the repository.
    const files = links.filter((path) => !/^(https:|docs\/)/.test(path));
    expect(files).toEqual(['favicon.svg', 'shared/base.css', 'style.css', 'app.js']);
    for (const file of files) {
      const answer = await fetch(`${app.url}/${file}`);
      expect([file, answer.status]).toEqual([file, 200]);
      await answer.arrayBuffer();
    }
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|http/);
    expect(page).not.toMatch(/<script>|<style|\sstyle=|\son\w+=/);
  });
});

describe('the local model', () => {
  it('has an answer of its own to each question that the page suggests', async () => {
    const { app } = await start('express');
    const page = await (await fetch(app.url)).text();
    const [, examples = ''] = /class="examples"([^]*?)<\/div>/.exec(page) ?? [];
    const questions = [...examples.matchAll(/<button[^>]*>([^<]+)</g)].map(([, text]) => text);
    expect(questions).toEqual(Object.keys(ANSWERS));
  });
});

async function start(adapter: Adapter, history?: HistoryOptions) {
  const model = new SteeredModel();
  const app = await serve([], {
    adapter,
    sse: { history, retry: 1 },
    module: { imports: [JobsModule] },
    override: (builder) => builder.overrideProvider(Model).useValue(model),
    setup: (nest) => {
      if (adapter === 'express') servePage(nest as NestExpressApplication);
    },
  });
  const post = (path: string, body: object = {}): Promise<Response> =>
    fetch(app.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return {
    app,
    model,
    post,
    record: (id: string) => app.nest.get(JobsService).find(id),
    read: (id: string, lastEventId?: string) =>
      readJob(`${app.url}/jobs/${id}/events`, lastEventId),
    ask: async (prompt: string): Promise<string> => {
      const { id } = (await (await post('/jobs', { prompt })).json()) as { id: string };
      return id;
    },
  };
}

/** As a client does: it has the text that it was given, and appends. */
function readJob(url: string, lastEventId?: string) {
  const stream = connect<JobEvents>(url, lastEventId === undefined ? {} : { lastEventId });
  let begin = (): void => {};
  const reader = {
    stream,
    text: '',
    end: undefined as JobEvents['end'] | undefined,
    seen: [] as string[],
    begun: new Promise<void>((resolve) => {
      begin = resolve;
    }),
  };
  stream.on('answer', ({ data }) => {
    reader.text = data.text;
    begin();
  });
  stream.on('token', ({ data }) => {
    reader.text += data.text;
  });
  stream.on('end', ({ data }) => {
    reader.end = data;
  });
  stream.subscribe({ next: ({ type }) => reader.seen.push(type), error: () => {} });
  return reader;
}
