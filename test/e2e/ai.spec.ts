// Answers as the AI SDK reads them, with its own transports of three versions, its own model and
// real sockets. In memory, and on a real Redis with two apps.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, RequestMethod } from '@nestjs/common';
import * as sdk7 from 'ai';
import * as sdk6 from 'ai-6';
import * as sdk5 from 'ai-5';
import {
  Connection,
  SseConnections,
  type EventLogFactory,
  type SseConnection,
  type SseModuleOptions,
} from 'nestjs-eventstream';
import { startUiMessages, uiMessages, UiMessageStream } from 'nestjs-eventstream/ai';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { SseRuns, SseRunsModule } from 'nestjs-eventstream/runs';
import { from } from 'rxjs';
import { ChatController, Chats, textOf } from '../support/chat-app.js';
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { ADAPTERS, serve, type Adapter, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

type Message = sdk7.UIMessage;
type Chunk = sdk7.UIMessageChunk;

/** The SDK's versions have the same protocol; each reads it with code of its own. */
const SDKS: Readonly<Record<string, typeof sdk7>> = {
  'ai 7': sdk7,
  'ai 6': sdk6 as unknown as typeof sdk7,
  'ai 5': sdk5 as unknown as typeof sdk7,
};

let chats: Chats;
beforeEach(() => {
  chats = new Chats();
});

@Controller()
class Other {
  constructor(private readonly runs: SseRuns) {}

  @UiMessageStream('texts', { method: RequestMethod.POST }) texts() {
    // As if a handler returned `textStream`.
    return startUiMessages(this.runs, 'texts', () => from(['no', 'chunks']));
  }

  @UiMessageStream('one') one(@Connection() { signal }: SseConnection) {
    return uiMessages(answerTo('one', signal));
  }
}

function answerTo(id: string, abortSignal: AbortSignal) {
  const { model } = chats.modelOf(id);
  return sdk7.streamText({ model, prompt: 'Hello?', abortSignal }).toUIMessageStream();
}

function startApp(adapter: Adapter, sse: SseModuleOptions = {}): Promise<TestApp> {
  return serve([ChatController, Other], {
    adapter,
    sse: { retry: 1, ...sse },
    module: {
      imports: [SseRunsModule.forRoot()],
      providers: [{ provide: Chats, useFactory: () => chats }],
    },
  });
}

const messageOf = (role: Message['role'], text: string): Message => {
  return { id: randomUUID(), role, parts: [{ type: 'text', text }] };
};

/** A page with a chat: what it sends, and what it shows. */
function pageOf({ url }: TestApp, chatId: string, sdk = sdk7) {
  const transport = new sdk.DefaultChatTransport({ api: `${url}/api/chat` });
  const shown = (chunks: ReadableStream<Chunk>) => readPage(chunks, sdk);
  return {
    async send(...texts: string[]) {
      const messages = texts.map((text, n) => messageOf(n % 2 === 0 ? 'user' : 'assistant', text));
      const options = { chatId, messages, messageId: undefined, abortSignal: undefined } as const;
      return shown(await transport.sendMessages({ trigger: 'submit-message', ...options }));
    },
    async resume() {
      const chunks = await transport.reconnectToStream({ chatId });
      return chunks === null ? null : shown(chunks);
    },
    async stop() {
      const response = await fetch(`${url}/api/chat/${chatId}/stop`, { method: 'POST' });
      return [response.status, await response.json()] as const;
    },
  };
}

function readPage(stream: ReadableStream<Chunk>, sdk: typeof sdk7) {
  const [one, two] = stream.tee();
  const page = { text: '', chunks: [] as Chunk[], ended: Promise.resolve('whole') };
  const read = async (): Promise<string> => {
    const messages = sdk.readUIMessageStream({ stream: one, terminateOnError: true });
    const show = async (): Promise<void> => {
      for await (const message of messages) page.text = textOf(message);
    };
    try {
      await Promise.all([show(), readChunks(two, page.chunks)]);
      return 'whole';
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  };
  page.ended = read();
  return page;
}

async function readChunks(stream: ReadableStream<Chunk>, chunks: Chunk[]): Promise<void> {
  for await (const chunk of stream) chunks.push(chunk);
}

function behave(apps: () => readonly [TestApp, TestApp], [name, sdk]: [string, typeof sdk7]) {
  const newId = (): string => `chat-${randomUUID().slice(0, 8)}`;

  it(`are whole for who asks, who comes in the middle and who comes late (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const asked = await pageOf(one, id, sdk).send('Hello?');
    await model.untilAsked();
    model.say('Hello', ', ');
    await until('it shows', () => asked.text === 'Hello, ');
    const resumed = await pageOf(other, id, sdk).resume();
    await until('it shows there', () => resumed?.text === 'Hello, ');
    model.say('you\nthere');
    model.finish();
    expect(await asked.ended).toBe('whole');
    expect(await resumed?.ended).toBe('whole');
    const late = await pageOf(other, id, sdk).resume();
    expect(await late?.ended).toBe('whole');
    for (const page of [asked, resumed, late]) {
      expect(page?.text).toBe('Hello, you\nthere');
      expect(page?.chunks).toEqual(asked.chunks);
    }
    expect(asked.chunks.map(({ type }) => type)).toEqual([
      'start',
      'start-step',
      'text-start',
      ...Array.from({ length: 3 }, () => 'text-delta'),
      'text-end',
      'finish-step',
      'finish',
    ]);
    expect(model.asked).toBe(1);
    expect(chats.ended).toEqual([{ text: 'Hello, you\nthere', isAborted: false }]);
  });

  it(`go on when the client leaves that has asked (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const leaving = new AbortController();
    const transport = new sdk.DefaultChatTransport({ api: `${one.url}/api/chat` });
    await transport.sendMessages({
      chatId: id,
      messages: [messageOf('user', 'Hello?')],
      trigger: 'submit-message',
      messageId: undefined,
      abortSignal: leaving.signal,
    });
    await model.untilAsked();
    leaving.abort();
    const connections = one.nest.get(SseConnections);
    await until('it has left', () => connections.count === 0);
    model.say('still here');
    model.finish();
    const resumed = await pageOf(other, id, sdk).resume();
    expect(await resumed?.ended).toBe('whole');
    expect(resumed?.text).toBe('still here');
    expect(model.aborted).toBe(0);
  });

  it(`are stopped from any process, and stay as they are (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const page = pageOf(other, id, sdk);
    const asked = await pageOf(one, id, sdk).send('Hello?');
    const resumed = await page.resume();
    await model.untilAsked();
    model.say('so far');
    await until('it shows', () => asked.text === 'so far' && resumed?.text === 'so far');
    expect(await page.stop()).toMatchObject([201, { state: 'stopped' }]);
    expect([await asked.ended, await resumed?.ended]).toEqual(['whole', 'whole']);
    expect(model.aborted).toBe(1);
    const late = await page.resume();
    expect(await late?.ended).toBe('whole');
    for (const shown of [asked, resumed, late]) {
      expect(shown?.text).toBe('so far');
      expect(shown?.chunks.at(-1)).toEqual({ type: 'abort' });
    }
    // What the app would store.
    await until('the SDK tells', () => chats.ended.length === 1);
    expect(chats.ended).toEqual([{ text: 'so far', isAborted: true }]);
    expect(await page.stop()).toMatchObject([409, { reason: 'over' }]);
  });

  it(`follow one another in a chat, one at a time (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const first = await pageOf(one, id, sdk).send('First?');
    await model.untilAsked();
    await expect(pageOf(other, id, sdk).send('First?', 'so', 'Second?')).rejects.toThrow(
      'has not ended',
    );
    model.say('first');
    model.finish();
    await first.ended;
    const second = await pageOf(other, id, sdk).send('First?', 'first', 'Second?');
    await model.untilAsked(2);
    model.say('second');
    model.finish();
    expect(await second.ended).toBe('whole');
    expect(second.text).toBe('second');
    const resumed = await pageOf(one, id, sdk).resume();
    await resumed?.ended;
    expect(resumed?.text).toBe('second');
  });

  it(`are not there to resume if nobody has asked (${name})`, async () => {
    const [one] = apps();
    expect(await pageOf(one, newId(), sdk).resume()).toBeNull();
  });

  it(`end with the error that the SDK tells of its model (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const asked = await pageOf(one, id, sdk).send('Hello?');
    await model.untilAsked();
    model.say('so far');
    await until('it shows', () => asked.text === 'so far');
    model.fail(new Error('password=x'));
    expect(await asked.ended).toBe('error: An error occurred.');
    const resumed = await pageOf(other, id, sdk).resume();
    expect(await resumed?.ended).toBe('error: An error occurred.');
    expect(resumed?.text).toBe('so far');
  });

  it(`end with an error when the model breaks off (${name})`, async () => {
    const [one, other] = apps();
    const id = newId();
    const model = chats.modelOf(id);
    const asked = await pageOf(one, id, sdk).send('Hello?');
    await model.untilAsked();
    model.say('so far');
    await until('it shows', () => asked.text === 'so far');
    model.break(new Error('password=x'));
    expect(await asked.ended).toBe('error: Internal server error');
    const resumed = await pageOf(other, id, sdk).resume();
    expect(await resumed?.ended).toBe('error: Internal server error');
    expect(resumed?.text).toBe('so far');
  });
}

describe.each(ADAPTERS)('answers in memory (%s)', (adapter) => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp(adapter);
  });
  for (const sdk of Object.entries(SDKS)) behave(() => [app, app], sdk);

  it('are written as the SDK writes them', async () => {
    const model = chats.modelOf('wire');
    const response = await fetch(`${app.url}/api/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'wire', messages: [messageOf('user', 'Hello?')] }),
    });
    await model.untilAsked();
    model.say('one');
    model.finish();
    const text = await response.text();
    for (const [name, value] of Object.entries(sdk7.UI_MESSAGE_STREAM_HEADERS)) {
      // The server decides about its connections, and the cache is told more.
      const has = name === 'connection' || response.headers.get(name)?.includes(value) === true;
      expect({ name, has }).toEqual({ name, has: true });
    }
    const again = chats.modelOf('by the SDK');
    const chunks = answerTo('by the SDK', new AbortController().signal);
    const reading = sdk7.createUIMessageStreamResponse({ stream: chunks }).text();
    await again.untilAsked();
    again.say('one');
    again.finish();
    // The comment that opens a stream is no event, and the id of the message is random.
    const events = text.replace(/^: .*\n\n/, '').replace(/,"messageId":"\w+"/, '');
    expect(events).toBe(await reading);
  });

  it('may do without a run, and then end with their connection', async () => {
    const model = chats.modelOf('one');
    const leaving = new AbortController();
    const left = await fetch(`${app.url}/one`, { signal: leaving.signal });
    await model.untilAsked();
    leaving.abort();
    await left.text().catch(() => {});
    await until('it is stopped', () => model.aborted === 1);
    const whole = await fetch(`${app.url}/one`);
    await model.untilAsked(2);
    model.say('one');
    model.finish();
    expect(await whole.text()).toMatch(/"delta":"one"[^]*\n\ndata: \[DONE\]\n\n$/);
  });

  it('fail if they are not made of chunks', async () => {
    const response = await fetch(`${app.url}/texts`, { method: 'POST' });
    expect(response.status).toBe(500);
    expect(app.logged.join('\n')).toContain('expected a stream of UI message chunks');
  });

  it('are refused with a status, since an empty answer would look like an answer', async () => {
    await app.close();
    app = await startApp(adapter, { limits: { maxConnections: 1 } });
    await pageOf(app, 'first').send('Hello?');
    await expect(pageOf(app, 'second').send('Hello?')).rejects.toThrow(/./);
    const response = await fetch(`${app.url}/api/chat/first/stream`);
    expect(response.status).toBe(503);
  });
});

describeRedis('answers on Redis, with two processes', () => {
  let redis: RedisServer;
  let log: EventLogFactory;
  let one: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    log = redisEventLog({ url: redis.url, prefix: randomUUID() });
    [one, other] = await Promise.all([startApp('express', { log }), startApp('fastify', { log })]);
  });
  behave(() => [one, other], ['ai 7', sdk7]);

  it('break in a process that shuts down, and go on in another one', async () => {
    const model = chats.modelOf('long');
    await pageOf(one, 'long').send('Hello?');
    const resumed = await pageOf(other, 'long').resume();
    await model.untilAsked();
    model.say('one ');
    await until('it shows', () => resumed?.text === 'one ');
    await other.close();
    expect(await resumed?.ended).toMatch(/^error: terminated/);
    const again = await pageOf(one, 'long').resume();
    model.say('two');
    model.finish();
    expect([await again?.ended, again?.text]).toEqual(['whole', 'one two']);
  });

  it('end with an error when their process shuts down', async () => {
    const model = chats.modelOf('lost');
    const asked = await pageOf(one, 'lost').send('Hello?');
    const resumed = await pageOf(other, 'lost').resume();
    await model.untilAsked();
    model.say('one ');
    await until('it shows', () => resumed?.text === 'one ');
    await one.close();
    expect(await resumed?.ended).toBe('error: The answer has ended early. Ask again.');
    expect(await asked.ended).toMatch(/^error: /);
    expect(model.aborted).toBe(1);
  });
});
