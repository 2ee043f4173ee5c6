import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, Subject } from 'rxjs';
import type { SseMessage } from 'nestjs-eventstream';
import { Deferred } from '../../lib/ground/deferred.js';
import { gap, numbers, range, start, type StreamOptions } from '../support/resuming.js';
import { ADAPTERS } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

describe.each(ADAPTERS)('a client that connects for the first time (%s)', (adapter) => {
  // feature: 53
  it.each([
    ['the last three events', { rewind: 3 }, [8, 9, 10]],
    ['no more than there are', { rewind: 500 }, range(1, 10)],
    ['the events of the last minute', { rewind: { ms: 60_000 } }, range(1, 10)],
  ])('gets %s with rewind, then what comes', async (_title, rewind, expected) => {
    const { open, emit, emitAll } = await start(adapter, {}, rewind);
    await emitAll('main', 1, 10);
    const stream = open('/stream');
    expect(await numbers(stream, expected.length)).toEqual(expected);
    await emit('main', 11);
    expect(await numbers(stream, 1)).toEqual([11]);
  });

  // feature: 48
  // fault: 17
  it('gets a snapshot and then exactly what was published after it was asked for', async () => {
    const asked = new Subject<void>();
    const answer = new Subject<SseMessage[]>();
    const options: StreamOptions = {
      snapshot: (reason, rooms) => {
        const result = firstValueFrom(answer);
        asked.next();
        return result.then((messages) => [{ type: 'state', data: { reason, rooms } }, ...messages]);
      },
    };
    const { open, emit, emitAll } = await start(adapter, {}, options);
    await emitAll('main', 1, 3);
    const isAsked = firstValueFrom(asked);
    const stream = open('/stream');
    await isAsked;
    await emitAll('main', 4, 5);
    answer.next([{ type: 'state', data: 'whole' }]);
    expect(await stream.take(2)).toMatchObject([
      { type: 'state', id: undefined, data: { reason: 'fresh', rooms: ['main'] } },
      { type: 'state', id: undefined, data: 'whole' },
    ]);
    expect(await numbers(stream, 2)).toEqual([4, 5]);
    const cursor = await emit('main', 6);
    await stream.next();
    await emit('main', 7);
    // With a cursor that is covered there is no snapshot.
    expect(await numbers(open('/stream', cursor), 1)).toEqual([7]);
  });

  // feature: 50
  it('a snapshot follows a gap, with the rooms that lost something', async () => {
    const { open, emitAll } = await start(
      adapter,
      { history: { maxEvents: 2 } },
      { snapshot: async (reason, rooms) => [{ type: 'state', data: { reason, rooms } }] },
    );
    const [first] = await emitAll('a', 1, 5);
    await emitAll('b', 6, 7);
    const stream = open('/stream?rooms=a,b', first);
    expect(await stream.take(2)).toMatchObject([
      gap(['a'], 'trimmed'),
      { type: 'state', data: { reason: 'gap', rooms: ['a'] } },
    ]);
    expect(await numbers(stream, 2)).toEqual([6, 7]);
  });

  it('a cursor of the hub in a snapshot does not stop those of the connection', async () => {
    const world = await start(adapter, { keepAlive: { intervalMs: 5 } });
    world.streams.options = {
      snapshot: async () => [{ type: 'state', id: await world.hub.position(), data: 'x' }],
    };
    const stream = world.open('/stream');
    await stream.next();
    const id = await world.emit('another room', 1);
    await stream.until(({ cursor }) => cursor === id);
    expect(stream.events).toHaveLength(1);
  });

  it('a snapshot that fails at once refuses with a status', async () => {
    const snapshot = () => Promise.reject(new Error('the database is away'));
    const { app, open } = await start(adapter, {}, { snapshot });
    expect((await responded(open('/stream'))).status).toBe(500);
    expect(app.logged).toEqual(['the database is away']);
  });

  it.each<[string, () => Promise<SseMessage[]>, string]>([
    ['fails', () => Promise.reject(new Error('the database is away')), 'the database is away'],
    [
      'is no list',
      () => Promise.resolve(7 as never),
      'stream().snapshot: expected a promise of an array of messages, got 7',
    ],
  ])('a snapshot that %s after the stream has begun is a late error', async (_title, end, told) => {
    const gate = new Deferred<void>();
    const snapshot = () => gate.promise.then(end);
    const { app, open } = await start(adapter, {}, { snapshot });
    const stream = open('/stream');
    expect((await responded(stream)).status).toBe(200);
    gate.resolve();
    expect(await stream.ended).toContain('event: sse-error');
    expect(app.logged).toEqual([told]);
  });
});
