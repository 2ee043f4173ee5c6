import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Broadcaster, SseModule } from 'nestjs-eventstream';
import { collect } from 'nestjs-eventstream/testing';
import { concat, finalize, interval, map, NEVER, of, Subject, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';

describe('collect()', () => {
  it('takes so many values of an Observable, an AsyncIterable, or a Promise of one', async () => {
    async function* numbers() {
      yield* [1, 2, 3];
    }
    for (const result of [
      of(1, 2, 3),
      numbers(),
      Promise.resolve(of(1, 2, 3)),
      Promise.resolve(numbers()),
    ]) {
      expect(await collect<number>(result, 2)).toEqual([1, 2]);
    }
  });

  it('takes the values of an AsyncIterable however long it takes for each', async () => {
    async function* slowly() {
      for (let n = 1; n <= 3; n++) {
        const begunAt = performance.now();
        while (performance.now() < begunAt + 60) await new Promise(setImmediate);
        yield n;
      }
    }
    expect(await collect(slowly(), 3)).toEqual([1, 2, 3]);
  });

  // feature: 87, 88
  it('subscribes at once, and unsubscribes when it has them', async () => {
    const source = new Subject<number>();
    const values = collect(source, 2);
    source.next(1);
    expect(source.observed).toBe(true);
    source.next(2);
    expect(source.observed).toBe(false);
    expect(await values).toEqual([1, 2]);
  });

  // feature: 87
  it('says what came when the time is over, and unsubscribes', async () => {
    const source = new Subject<object>();
    const values = collect(source, 3, { timeoutMs: 20 });
    source.next({ data: 1 });
    source.next({ data: 2 });
    await expect(values).rejects.toThrow(
      'not within 20 ms: got 2 of 3 values; the last: { data: 2 }',
    );
    expect(source.observed).toBe(false);
    await expect(collect(NEVER, 1, { timeoutMs: 1 })).rejects.toThrow(
      /^not within 1 ms: got 0 of 1 values$/,
    );
  });

  it('says on one line what came, and not all of a large one', async () => {
    const large = { list: Array.from({ length: 100 }, (_, n) => n), text: 'x'.repeat(1_000) };
    await expect(collect(of(large), 2)).rejects.toThrow(
      /^the source completed: .*\[ 0, 1, .*90 more items.*'x{200}'\.\.\. 800 more characters }$/,
    );
  });

  it('says what came when the source is complete before', async () => {
    await expect(collect(of('a'), 2)).rejects.toThrow(
      "the source completed: got 1 of 2 values; the last: 'a'",
    );
  });

  it('rejects with the error of the source, of a handler, and for what is no stream', async () => {
    const error = new TypeError('of the app');
    await expect(
      collect(
        concat(
          of(1),
          throwError(() => error),
        ),
        2,
      ),
    ).rejects.toBe(error);
    await expect(collect(Promise.reject(error), 1)).rejects.toBe(error);
    await expect(collect([1] as never, 1)).rejects.toMatchObject({ code: 'SSE_NOT_STREAMABLE' });
  });

  it('ends an AsyncIterable that waits', async () => {
    let isReturned = false;
    const waiting: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isReturned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    await expect(collect(waiting, 1, { timeoutMs: 1 })).rejects.toThrow('got 0 of 1');
    expect(isReturned).toBe(true);
  });

  // feature: 87
  it('takes virtual time', async () => {
    const scheduler = new TestScheduler(() => {});
    let stoppedAt = 0;
    const values = scheduler.run(() =>
      collect(
        interval(3_600_000).pipe(
          map((n) => ({ data: n })),
          finalize(() => (stoppedAt = scheduler.now())),
        ),
        3,
      ),
    );
    expect(await values).toEqual([{ data: 0 }, { data: 1 }, { data: 2 }]);
    expect(stoppedAt).toBe(3 * 3_600_000);
  });
});

@Module({ imports: [SseModule.forRoot()] })
class App {}

describe('collect() of a hub', () => {
  it('needs no connection', async () => {
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    const hub = app.get(Broadcaster, { strict: false });
    const events = collect(hub.stream('orders'), 2);
    await hub.to('orders').emit('created', { no: 1 });
    await hub.to('orders').emit('shipped', { no: 1 });
    expect(await events).toMatchObject([
      { type: 'created', data: { no: 1 } },
      { type: 'shipped', data: { no: 1 } },
    ]);
    expect(hub.rooms()).toEqual([]);
    await app.close();
  });
});
