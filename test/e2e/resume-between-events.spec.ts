import { describe, expect, it } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { bufferTime, concatMap, delay, filter, map, mergeMap, Subject, take } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { hasCursor } from '../support/resuming.js';
import { ADAPTERS, serve } from '../support/serve.js';

describe.each(ADAPTERS)('where the client stands between events (%s)', (adapter) => {
  const OPERATORS = {
    none: ({ hub }: Piped) => hub.stream('main'),
    types: ({ hub }: Piped) => hub.stream('main', { types: ['other'] }),
    filter: ({ hub }: Piped) => hub.stream('main', { filter: () => false }),
    delay: ({ hub }: Piped) => hub.stream('main').pipe(delay(1_000_000)),
    concatMap: ({ hub, release }: Piped) =>
      hub.stream('main').pipe(
        concatMap((event) =>
          release.pipe(
            take(1),
            map(() => event),
          ),
        ),
      ),
    mergeMap: ({ hub, release }: Piped) =>
      hub.stream('main').pipe(
        mergeMap((event) =>
          release.pipe(
            take(1),
            map(() => event),
          ),
        ),
      ),
    bufferTime: ({ hub }: Piped) =>
      hub.stream('main').pipe(
        bufferTime(1_000_000),
        map((events) => ({ id: events.at(-1)?.id, data: events.length })),
      ),
    'filter operator': ({ hub }: Piped) =>
      hub.stream('main').pipe(filter(({ type }) => type === 'other')),
    'own ids': ({ hub }: Piped) =>
      hub.stream('main').pipe(map((event) => ({ ...event, id: `own-${String(event.data)}` }))),
  };
  @Controller()
  class Piped {
    readonly release = new Subject<void>();
    constructor(readonly hub: Broadcaster) {}
    @SseStream('piped', { keepAlive: { intervalMs: 10 } }) piped(
      @Query('by') by: keyof typeof OPERATORS,
    ) {
      return OPERATORS[by](this);
    }
  }

  /** After an event was published, the id of the next keep-alive. */
  const keepAliveId = async (by: keyof typeof OPERATORS) => {
    const app = await serve(Piped, { adapter });
    const { hub, release } = app.nest.get(Piped);
    const before = await hub.publish('main', { data: 0 });
    const stream = app.open(`/piped?by=${encodeURIComponent(by)}`);
    await stream.until(hasCursor);
    expect(stream.cursor).toBe(before);
    const published = await hub.publish('main', { data: 1 });
    const next = stream.text.length;
    // The first keep-alive may have been under way already.
    await stream.until(({ text }) => text.slice(next).split(': keep-alive').length > 3);
    return { before, published, stream, release, id: stream.cursor };
  };

  it.each(['none', 'types', 'filter'] as const)(
    'is after the last event that the hub has handed out (%s)',
    async (by) => {
      const { id, published } = await keepAliveId(by);
      expect(id).toBe(published);
    },
  );

  it.each(['delay', 'concatMap', 'mergeMap', 'bufferTime', 'filter operator'] as const)(
    'is not beyond an event that an operator holds back, or may hold back (%s)',
    async (by) => {
      const { id, before } = await keepAliveId(by);
      expect(id).toBe(before);
    },
  );

  it.each(['concatMap', 'mergeMap'] as const)(
    'moves on when the event comes out (%s)',
    async (by) => {
      const { published, stream, release } = await keepAliveId(by);
      release.next();
      await stream.next();
      const next = stream.text.length;
      await stream.until(({ text }) => text.slice(next).split(': keep-alive').length > 3);
      expect(stream.cursor).toBe(published);
    },
  );

  it('is left alone where the handler writes ids of its own', async () => {
    const { stream, id } = await keepAliveId('own ids');
    expect(await stream.next()).toMatchObject({ id: 'own-1' });
    expect(id).toBe('own-1');
  });
});
