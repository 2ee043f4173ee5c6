import { describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { HistoryOptions } from 'nestjs-eventstream';
import { connect } from 'nestjs-eventstream/client';
import { SseRunsModule } from 'nestjs-eventstream/runs';
import { AnswersModule } from '../../sample/04-llm-tokens/answers.module.js';
import type { AnswerEvents } from '../../sample/04-llm-tokens/events.js';
import { ANSWERS } from '../../sample/04-llm-tokens/known-answers.js';
import { Model } from '../../sample/04-llm-tokens/model.js';
import { servePage } from '../../sample/04-llm-tokens/page.js';
import { ADAPTERS, serve, type Adapter } from '../support/serve.js';
import { SteeredModel } from '../support/steered-model.js';
import { until } from '../support/until.js';

describe.each(ADAPTERS)('LLM tokens (%s)', (adapter) => {
  it('go to all who read the answer, and the end closes their clients', async () => {
    const { ask, read, model } = await start(adapter);
    const id = await ask('Hello?');
    const [one, two] = [read(id), read(id)];
    await Promise.all([one.begun, two.begun]);
    model.say('Hello', ' you');
    model.finish();
    for (const reader of [one, two]) {
      expect(await reader.stream.closed).toEqual({ reason: 'server' });
      expect(reader.text).toBe('Hello you');
      expect(reader.seen).toEqual(['question', 'token', 'token', 'run-end', 'sse-end']);
    }
    expect(model.aborted).toBe(0);
  });

  it('are all there for a second reader that comes in mid-answer', async () => {
    const { ask, read, model } = await start(adapter);
    const id = await ask('Hello?');
    const first = read(id);
    model.say('a', 'b');
    await until('the first has read', () => first.text === 'ab');
    const second = read(id);
    await until('the second has read', () => second.text === 'ab');
    model.say('c');
    model.finish();
    await Promise.all([first.stream.closed, second.stream.closed]);
    expect([first.text, second.text]).toEqual(['abc', 'abc']);
    expect(second.seen).toEqual(first.seen);
    expect(model.asked).toBe(1);
  });

  it.each([1_000, 1])(
    'go on for a client that returns, after the last one that it has read, with a history of %p',
    async (maxEvents) => {
      const { app, ask, read, model } = await start(adapter, { maxEvents });
      const id = await ask('Hello?');
      const before = app.open(`/answers/${id}/events`);
      expect(await before.next()).toMatchObject({ type: 'question', data: { prompt: 'Hello?' } });
      model.say('a', 'b');
      const [, b] = await before.take(2);
      before.close();
      const other = read(id);
      model.say('c', 'd');
      await until('the answer goes on', () => other.text === 'abcd');
      const back = read(id, b?.id);
      await until('the rest is read', () => back.text === 'cd');
      model.say('e');
      model.finish();
      await back.stream.closed;
      expect(back.seen).toEqual(['token', 'token', 'token', 'run-end', 'sse-end']);
      expect(back.text).toBe('cde');
    },
  );

  it('can be stopped while nobody reads, and a late client gets what there was, and the end', async () => {
    const { ask, read, model, post, status } = await start(adapter);
    const id = await ask('Hello?');
    model.say('a');
    await model.untilSaid();
    expect(await status(id)).toMatchObject({ status: 200, body: { id, state: 'running' } });
    const stopped = await post(`/answers/${id}/stop`);
    expect([stopped.status, await stopped.json()]).toMatchObject([201, { state: 'stopped' }]);
    await until('the model has stopped', () => model.aborted === 1);
    const late = read(id);
    expect(await late.stream.closed).toEqual({ reason: 'server' });
    expect(late.seen).toEqual(['question', 'token', 'run-end', 'sse-end']);
    expect([late.text, late.end]).toEqual(['a', { state: 'stopped' }]);
    expect((await post(`/answers/${id}/stop`)).status).toBe(409);
    expect(await status(id)).toMatchObject({ body: { state: 'stopped' } });
  });

  it('end with the state that the model failed', async () => {
    const { app, ask, read, model } = await start(adapter);
    const id = await ask('Hello?');
    const reader = read(id);
    await reader.begun;
    model.say('a');
    model.fail(new Error('out of tokens'));
    await reader.stream.closed;
    const error = { statusCode: 500, message: 'Internal server error' };
    expect([reader.text, reader.end]).toEqual(['a', { state: 'failed', error }]);
    expect(app.logged).toEqual([expect.stringContaining('out of tokens')]);
  });

  it('are lost when the app ends, and readers get to know', async () => {
    const { app, ask, model } = await start(adapter);
    const reader = app.open(`/answers/${await ask('Hello?')}/events`);
    expect(await reader.next()).toMatchObject({ type: 'question' });
    model.say('a');
    await reader.next();
    await app.nest.close();
    expect(await reader.next()).toMatchObject({ type: 'run-end', data: { state: 'lost' } });
    expect(model.aborted).toBe(1);
  });

  it('need a question, and an answer', async () => {
    const { app, post, status } = await start(adapter);
    for (const prompt of [undefined, '', 7, 'x'.repeat(501)]) {
      expect((await post('/answers', { prompt })).status).toBe(400);
    }
    expect((await post('/answers/none/stop')).status).toBe(404);
    expect((await status('none')).status).toBe(404);
    expect((await fetch(`${app.url}/answers/none/events`)).status).toBe(204);
  });

  it('come as UI messages too, to whoever asks and whoever resumes, and are stored', async () => {
    const { app, askChat, model, post } = await start(adapter);
    const asked = readText(await askChat('c1', 'Hello?'));
    model.say('so ', 'far');
    await model.untilSaid();
    const resumed = readText(await fetch(`${app.url}/api/chat/c1/stream`));
    const stopped = await post('/api/chat/c1/stop');
    expect([stopped.status, await stopped.json()]).toMatchObject([201, { state: 'stopped' }]);
    expect(await asked).toMatch(/"delta":"so "[^]*"delta":"far"[^]*"abort"[^]*\[DONE\]\n\n$/);
    expect(await resumed).toBe(await asked);
    expect(model.aborted).toBe(1);
    const [, id = ''] = /"messageId":"(\w+)"/.exec(await asked) ?? [];
    const stored = async (): Promise<object[]> =>
      (await (await fetch(`${app.url}/api/chat/c1`)).json()) as object[];
    await until('it is stored', async () => (await stored()).length === 2);
    expect(await stored()).toMatchObject([
      { role: 'user', parts: [{ text: 'Hello?' }] },
      { role: 'assistant', id, parts: [{ type: 'step-start' }, { text: 'so far' }] },
    ]);
  });

  it('have nothing to resume in a new chat, and refuse what is no chat', async () => {
    const { app, ask, post, askChat } = await start(adapter);
    expect((await fetch(`${app.url}/api/chat/none/stream`)).status).toBe(204);
    expect(await (await fetch(`${app.url}/api/chat/none`)).json()).toEqual([]);
    for (const body of [{}, { id: 'c1' }, { id: 'c1', messages: [{ role: 'user' }] }]) {
      expect((await post('/api/chat', body)).status).toBe(400);
    }
    // An answer of the other page is no chat.
    const id = await ask('Hello?');
    expect((await fetch(`${app.url}/api/chat/${id}/stream`)).status).toBe(204);
    expect((await askChat(id, 'Hello?')).status).toBe(409);
  });
});

describe('the pages of the LLM tokens', () => {
  it.each([
    ['', 'app.js'],
    ['chat', 'chat.js'],
  ])('/%s is served with all that it asks for, and may load nothing else', async (path, script) => {
    const { app } = await start('express');
    const response = await fetch(`${app.url}/${path}`);
    const page = await response.text();
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
    // The guide and the source are links of the list of all samples, or of the repository.
    const files = links.filter((link) => !/^(https:|docs\/)/.test(link));
    const other = path === '' ? 'chat' : '.';
    expect(files).toEqual(['favicon.svg', 'shared/base.css', 'style.css', script, other]);
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
    module: { imports: [SseRunsModule.forRoot(), AnswersModule] },
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
    status: async (id: string) => {
      const response = await fetch(`${app.url}/answers/${id}`);
      return { status: response.status, body: await response.json() };
    },
    read: (id: string, lastEventId?: string) =>
      readAnswer(`${app.url}/answers/${id}/events`, lastEventId),
    ask: async (prompt: string): Promise<string> => {
      const { id } = (await (await post('/answers', { prompt })).json()) as { id: string };
      return id;
    },
    askChat: (id: string, text: string) =>
      post('/api/chat', {
        id,
        messages: [{ id: 'q1', role: 'user', parts: [{ type: 'text', text }] }],
      }),
  };
}

/** All of an answer, without the comment that opens the stream. */
async function readText(response: Response): Promise<string> {
  return (await response.text()).replace(/^: .*\n\n/, '');
}

/** As a client does: it appends. */
function readAnswer(url: string, lastEventId?: string) {
  const stream = connect<AnswerEvents>(url, lastEventId === undefined ? {} : { lastEventId });
  let begin = (): void => {};
  const reader = {
    stream,
    text: '',
    end: undefined as AnswerEvents['run-end'] | undefined,
    seen: [] as string[],
    begun: new Promise<void>((resolve) => {
      begin = resolve;
    }),
  };
  stream.on('question', () => begin());
  stream.on('token', ({ data }) => {
    reader.text += data.text;
  });
  stream.on('run-end', ({ data }) => {
    reader.end = data;
  });
  stream.subscribe({ next: ({ type }) => reader.seen.push(type), error: () => {} });
  return reader;
}
