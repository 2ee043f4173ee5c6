import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseConnection, SseModule } from 'nestjs-eventstream';
import { collect, fakeConnection } from 'nestjs-eventstream/testing';
import { until } from '../support/until.js';

@Module({ imports: [SseModule.forRoot()] })
class App {}

describe('fakeConnection()', () => {
  // feature: 88
  it('remembers messages, and their bytes', async () => {
    const connection = fakeConnection();
    expect(connection).toBeInstanceOf(SseConnection);
    await connection.send({ type: 'a', data: { n: 1 } });
    await connection.comment('hm');
    expect(connection.messages).toEqual([{ type: 'a', data: { n: 1 } }, { comment: 'hm' }]);
    expect(connection.text).toBe(': connected\n\nevent: a\ndata: {"n":1}\n\n: hm\n\n');
    expect(connection).toMatchObject({ state: 'open', sentEvents: 2, bufferedBytes: 0 });
  });

  it('refuses what a real one refuses', async () => {
    const connection = fakeConnection();
    await expect(connection.send({ data: 1, id: 'a\nb' })).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
    });
    expect(connection).toMatchObject({ messages: [], text: '', state: 'opening' });
  });

  it('has what the handler looks for', () => {
    const request = { user: 'ann' };
    const connection = fakeConnection({ lastEventId: '7', headers: { 'x-a': 'b' }, request });
    expect(connection.lastEventId).toBe('7');
    for (const id of ['é', '✓', 'Ã©'])
      expect(fakeConnection({ lastEventId: id }).lastEventId).toBe(id);
    expect(connection.request).toMatchObject({ user: 'ann', headers: { 'x-a': 'b' } });
    expect(connection.data).toEqual({});
    expect(fakeConnection().id).not.toBe(connection.id);
    expect(fakeConnection({ request: { query: { lastEventId: '8' } } }).lastEventId).toBe('8');
  });

  // feature: 88
  it('aborts its signal when the client leaves', async () => {
    const connection = fakeConnection();
    const { signal, closed } = connection;
    await connection.send({ data: 1 });
    connection.disconnect();
    connection.disconnect();
    expect(signal).toMatchObject({ aborted: true, reason: 'client' });
    expect(await closed).toBe('client');
    await expect(connection.send({ data: 2 })).rejects.toMatchObject({ code: 'SSE_CLOSED' });
    expect(connection.messages).toHaveLength(1);
  });

  it('remembers the gap and the snapshot of a stream that is read for it', async () => {
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    const hub = app.get(Broadcaster, { strict: false });
    const connection = fakeConnection({ lastEventId: 'of another app' });
    const snapshot = async () => [{ type: 'list', data: [1] }];
    const events = collect(hub.stream('orders', { connection, snapshot }), 1);
    await until('the snapshot', () => connection.messages.length === 2);
    await hub.to('orders').emit('created', { no: 2 });
    expect(await events).toMatchObject([{ type: 'created', data: { no: 2 } }]);
    expect(connection.messages).toEqual([
      { type: 'sse-gap', data: '{"rooms":["orders"],"reason":"unknown"}' },
      { type: 'list', data: [1] },
    ]);
    await app.close();
  });

  it('is closed by the handler, after what was sent', async () => {
    const connection = fakeConnection();
    void connection.send({ data: 1 });
    connection.close('enough');
    expect(await connection.closed).toBe('enough');
    expect(connection.text).toBe(': connected\n\ndata: 1\n\n');
  });
});
