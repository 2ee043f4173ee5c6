import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import type { SseMessage } from 'nestjs-eventstream';
import { numbers, start, type StreamOptions } from '../support/resuming.js';

describe('beside streams', () => {
  // feature: 97
  it('history() gives a page after a cursor and says whether something is missing', async () => {
    const { hub, emitAll } = await start('express', { history: { maxEvents: 5 } });
    const ids = await emitAll('main', 1, 10);
    const page = async (query: { after?: string; limit?: number }) => {
      const { events, covered } = await hub.history('main', query);
      return [events.map(({ data }) => data), covered];
    };
    expect(await page({})).toEqual([[6, 7, 8, 9, 10], true]);
    expect(await page({ limit: 2 })).toEqual([[9, 10], true]);
    expect(await page({ after: ids[5] })).toEqual([[7, 8, 9, 10], true]);
    expect(await page({ after: ids[5], limit: 2 })).toEqual([[7, 8], true]);
    expect(await page({ after: ids[4] })).toEqual([[6, 7, 8, 9, 10], true]);
    expect(await page({ after: ids[0] })).toEqual([[6, 7, 8, 9, 10], false]);
    expect(await page({ after: ids[9] })).toEqual([[], true]);
    expect(await page({ after: 'nonsense', limit: 1 })).toEqual([[10], false]);
    const [first] = (await hub.history('main', { limit: 1 })).events;
    expect(first).toMatchObject({ id: ids[9], type: 'n', data: 10, rooms: ['main'] });
    await expect(hub.history('main', { limit: 0 })).rejects.toMatchObject({ code: 'SSE_OPTIONS' });
    await expect(hub.history('')).rejects.toMatchObject({ code: 'SSE_INVALID_FIELD' });
  });

  // feature: 97
  it('a stream without a connection, as for a WebSocket gateway, tells gaps among its events', async () => {
    const { hub, emitAll } = await start('express', { history: { maxEvents: 2 } });
    const [first] = await emitAll('main', 1, 5);
    const read = hub.stream('main', { lastEventId: first }).pipe(take(2), toArray());
    const seen = firstValueFrom(read);
    await new Promise(setImmediate);
    await emitAll('main', 6, 6);
    expect(await seen).toMatchObject([
      { type: 'sse-gap', data: { rooms: ['main'], reason: 'trimmed' } },
      { type: 'n', data: 6 },
    ]);
  });

  // feature: 71
  it('a stream without a connection ends where more comes than fits while it waits for its state', async () => {
    const { hub } = await start('express');
    const options: StreamOptions = { connection: false };
    const asked = new Promise<void>((resolve) => {
      options.snapshot = () => (resolve(), new Promise<SseMessage[]>(() => {}));
    });
    const failed = firstValueFrom(hub.stream('main', options)).catch((error: unknown) => error);
    await asked;
    for (let n = 0; n < 20; n++) await hub.publish('main', { data: 'x'.repeat(100_000) });
    expect(await failed).toMatchObject({ code: 'SSE_OVERFLOW' });
  });

  it('with history: false there are no ids, no gaps and no replays', async () => {
    const { hub, open, emit } = await start('express', { history: false });
    expect(await emit('main', 1)).toBe('');
    const stream = open('/stream', 'nonsense');
    await stream.until(({ text }) => text.endsWith('\n\n'));
    await emit('main', 2);
    expect(await stream.next()).toMatchObject({ type: 'n', id: undefined, data: 2 });
    expect(stream.text).not.toContain('id:');
    await expect(hub.position()).rejects.toThrow(
      'position() needs history; remove `history: false`',
    );
    await expect(hub.history('main')).rejects.toMatchObject({ code: 'SSE_OPTIONS' });
  });

  // feature: 51
  it('a key makes a second publish safe: one event, the same cursor', async () => {
    const { hub, open, emit } = await start('express');
    const stream = open('/stream');
    await stream.until(({ text }) => text.endsWith('\n\n'));
    const first = await hub.to('main').emit('n', 1, { key: 'order-1' });
    expect(await hub.to('main').emit('n', 1, { key: 'order-1' })).toBe(first);
    await emit('main', 2);
    expect(await numbers(stream, 2)).toEqual([1, 2]);
    await expect(hub.to('main').emit('n', 1, { key: '' })).rejects.toMatchObject({
      code: 'SSE_INVALID_FIELD',
    });
  });

  it.each([
    [
      { rewind: 0 },
      'stream().rewind: expected a positive integer, or { ms } with a positive integer, got 0',
    ],
    [
      { onGap: 'never' },
      "stream().onGap: expected 'tail' or 'rest' or 'skip' or 'end', got \"never\"",
    ],
    [{ until: 'done' }, 'stream().until: expected an array of types, or a function, got "done"'],
    [{ type: 'x' }, 'stream().type: no such option; did you mean types?'],
    [
      { connection: { id: 'x' } },
      'connection: expected the SseConnection from @Connection(), or from fakeConnection() in tests, got an object with id',
    ],
  ])('a wrong option of stream() is refused at once: %j', async (wrong, message) => {
    const { hub } = await start('express');
    expect(() => hub.stream('main', wrong as object)).toThrow(message);
  });
});
