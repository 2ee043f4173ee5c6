// Sources that make an event now and then, on a clock that the test moves.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { interval, map, NEVER, take } from 'rxjs';
import { Connection, poll, SseStream, type SseConnection } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import type { TestStream } from '../support/stream-client.js';

const ms = (): number => performance.now();

@Controller()
class Sources {
  /** Of `/polled`. */
  readonly answers: ((value: string) => void)[] = [];
  @SseStream('time') time() {
    const began = ms();
    return interval(2_000).pipe(map(() => ms() - began));
  }
  @SseStream('operators') operators() {
    return interval(1_000).pipe(
      take(10),
      map((n) => ({ type: 'n', data: { n } })),
    );
  }
  @SseStream('generator', { openWithinMs: false }) async *generator() {
    for (let n = 0; n < 10; n++) {
      await pause(1_000);
      yield { type: 'n', data: { n } };
    }
  }
  @SseStream('callbacks') callbacks(@Connection() connection: SseConnection) {
    let n = 0;
    const timer = setInterval(() => {
      void connection.send({ type: 'n', data: { n: n++ } });
      if (n < 10) return;
      clearInterval(timer);
      connection.close();
    }, 1_000);
    return NEVER;
  }
  @SseStream('polled') polled() {
    return poll(1_000, () => new Promise<string>((resolve) => this.answers.push(resolve)));
  }
}

const pause = (time: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, time);
  });

const begun = (stream: TestStream) => stream.until(({ text }) => text.endsWith('\n\n'));
const body = (text: string): string => text.replace(/^: connected\nretry: \d+\n\n/, '');

describe.each(ADAPTERS)('a source on %s', (adapter) => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  // feature: 22
  it('that makes an event every two seconds makes it exactly then', async () => {
    const app = await serve(Sources, { adapter });
    const stream = app.open('/time');
    await begun(stream);
    const times: unknown[] = [];
    for (let n = 1; n <= 5; n++) {
      jest.advanceTimersByTime(1_999);
      expect(stream.events).toHaveLength(times.length);
      jest.advanceTimersByTime(1);
      times.push((await stream.next()).data);
    }
    expect(times).toEqual([2_000, 4_000, 6_000, 8_000, 10_000]);
  });

  // feature: 26
  it('of operators, of a generator or of callbacks writes equal bytes', async () => {
    const app = await serve(Sources, { adapter });
    const streams = ['operators', 'generator', 'callbacks'].map((path) => app.open(`/${path}`));
    await Promise.all(streams.map(begun));
    for (let n = 0; n < 10; n++) {
      jest.advanceTimersByTime(1_000);
      await Promise.all(streams.map((stream) => stream.until(() => stream.events.length > n)));
    }
    const expected = Array.from({ length: 10 }, (_none, n) => `event: n\ndata: {"n":${n}}\n\n`);
    for (const stream of streams) expect(body(await stream.ended)).toBe(expected.join(''));
  });

  // feature: 23
  it('that is asked and slow is asked by one call at a time', async () => {
    const app = await serve(Sources, { adapter });
    const stream = app.open('/polled');
    const { answers } = app.nest.get(Sources);
    await begun(stream);
    jest.advanceTimersByTime(5_000);
    expect(answers).toHaveLength(1);
    answers[0]?.('slow');
    expect((await stream.next()).data).toBe('slow');
    jest.advanceTimersByTime(1_000);
    expect(answers).toHaveLength(2);
  });
});
