import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { of } from 'rxjs';
import { Stream } from '../../lib/connection/stream.js';
import { streamSettings } from '../../lib/connection/stream-settings.js';
import { SseNotStreamableError } from '../../lib/ground/errors.js';
import { toObservable } from '../../lib/nest/handler-result.js';
import { nextTurn, RecordingResponse, streamResponse } from '../support/recording-response.js';
import { openRegistry } from '../support/registry.js';

/** A connection that has room: after the next turn, or when the test says so. */
class Gate extends Stream {
  private resolvers: (() => void)[] = [];
  asked = 0;
  buffered = 0;

  constructor(private readonly hasRoom = false) {
    super(
      { headers: {} },
      streamResponse(new RecordingResponse()),
      streamSettings({}),
      openRegistry(),
    );
    this.opening = undefined;
  }

  override get bufferedBytes(): number {
    return this.buffered;
  }
  override writable(): Promise<void> {
    this.asked++;
    if (this.hasRoom) return nextTurn();
    return new Promise((resolve) => this.resolvers.push(resolve));
  }
  makeRoom(): void {
    for (const resolve of this.resolvers.splice(0)) resolve();
  }
}

/** Counts what was asked of it; gives 1, 2, 3 … and ends only so that a failing test does. */
class Counter implements AsyncIterable<number> {
  pulled = 0;
  returned = 0;

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: async () => ({ value: ++this.pulled, done: this.pulled >= 100_000 }),
      return: async () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** Each look at the clock is 10 ms later than the one before: no two values fall into one slice. */
function slowClock(): void {
  let clock = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => (clock += 10));
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the source of a stream', () => {
  it('is an Observable as it is', () => {
    const source = of(1);
    expect(toObservable(source, new Gate())).toBe(source);
  });

  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'undefined'],
    ['a number', 7, '7'],
    ['null', null, 'null'],
    ['text', 'x', '"x"'],
    ['a list', [1], 'an array'],
    ['an object', { data: 1 }, 'an object with data'],
    ['a function', () => of(1), 'a function'],
  ])('is refused where it is %s', (_title, source, shown) => {
    expect(() => toObservable(source, new Gate())).toThrow(SseNotStreamableError);
    expect(() => toObservable(source, new Gate())).toThrow(
      `a handler of @SseStream() must return an Observable or an AsyncIterable, got ${shown}`,
    );
  });
});

describe('an AsyncIterable', () => {
  it('is emitted to its end', async () => {
    async function* source(): AsyncGenerator<string> {
      yield 'a';
      await nextTurn();
      yield 'b';
    }
    const seen: unknown[] = [];
    await new Promise<void>((complete, error) => {
      toObservable(source(), new Gate(true)).subscribe({
        next: (value) => seen.push(value),
        complete,
        error,
      });
    });
    expect(seen).toEqual(['a', 'b']);
  });

  it('is not touched before somebody subscribes', () => {
    const counter = new Counter();
    const begin = jest.spyOn(counter, Symbol.asyncIterator);
    const source = toObservable(counter, new Gate());
    expect(begin).not.toHaveBeenCalled();
    source.subscribe().unsubscribe();
    expect(begin).toHaveBeenCalledTimes(1);
  });

  it('is pulled only when there is room', async () => {
    slowClock();
    const counter = new Counter();
    const gate = new Gate();
    const seen: unknown[] = [];
    const subscription = toObservable(counter, gate).subscribe((value) => seen.push(value));
    await nextTurn();
    await nextTurn();
    expect(counter.pulled).toBe(1);
    expect(seen).toEqual([1]);
    gate.makeRoom();
    await nextTurn();
    await nextTurn();
    expect(counter.pulled).toBe(2);
    subscription.unsubscribe();
    gate.makeRoom();
    await nextTurn();
    expect(counter.pulled).toBe(2);
    expect(seen).toEqual([1, 2]);
  });

  it('that is fast is pulled on for a moment, as long as little waits for the client', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(0);
    const counter = new Counter();
    const gate = new Gate();
    const subscription = toObservable(counter, gate).subscribe((value) => {
      if (value === 100) gate.buffered = 1_048_576;
    });
    await nextTurn();
    expect(counter.pulled).toBe(100);
    expect(gate.asked).toBe(1);
    subscription.unsubscribe();
  });

  // feature: 32
  it('that never waits lets the event loop go on', async () => {
    const counter = new Counter();
    const gate = new Gate();
    const subscription = toObservable(counter, gate).subscribe();
    await nextTurn();
    expect(counter.pulled).toBeGreaterThan(0);
    expect(gate.asked).toBe(1);
    subscription.unsubscribe();
  });

  it('is told once when its subscriber leaves', async () => {
    slowClock();
    const counter = new Counter();
    const gate = new Gate();
    const subscription = toObservable(counter, gate).subscribe();
    await nextTurn();
    expect(counter.returned).toBe(0);
    subscription.unsubscribe();
    subscription.unsubscribe();
    expect(counter.returned).toBe(1);
  });

  it('runs the `finally` of a generator when its subscriber leaves', async () => {
    slowClock();
    const cleanUp = jest.fn();
    async function* source(): AsyncGenerator<number> {
      try {
        for (let n = 0; n < 100_000; n++) yield n;
      } finally {
        cleanUp();
      }
    }
    const subscription = toObservable(source(), new Gate()).subscribe();
    await nextTurn();
    subscription.unsubscribe();
    await nextTurn();
    expect(cleanUp).toHaveBeenCalledTimes(1);
  });

  it('hands on its error', async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1;
      throw new Error('down');
    }
    const error = await new Promise((resolve) => {
      toObservable(source(), new Gate(true)).subscribe({ error: resolve });
    });
    expect(error).toEqual(new Error('down'));
  });

  it('may have no return(), or one that rejects', async () => {
    const rejecting = new Counter();
    const iterator = rejecting[Symbol.asyncIterator]();
    const failing = jest.fn(() => Promise.reject(new Error('too late')));
    const sources: AsyncIterable<number>[] = [
      { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) },
      { [Symbol.asyncIterator]: () => ({ next: () => iterator.next(), return: failing }) },
    ];
    slowClock();
    for (const source of sources) {
      const subscription = toObservable(source, new Gate()).subscribe();
      await nextTurn();
      expect(() => subscription.unsubscribe()).not.toThrow();
      await nextTurn();
    }
    expect(failing).toHaveBeenCalledTimes(1);
  });
});
