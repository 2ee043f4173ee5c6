import { isObservable, Observable } from 'rxjs';
import type { Stream } from '../connection/stream.js';
import { preview, SseNotStreamableError } from '../ground/errors.js';

/**
 * What a handler of `@SseStream()` may return, directly or as a Promise.
 * @publicApi
 */
export type SseSource = Observable<unknown> | AsyncIterable<unknown>;

/**
 * After this much, pulling from a source that never waits is paused, so that its output is written
 * and other work gets a turn.
 */
const PULL_SLICE = { ms: 2, bytes: 16_384 };

/** Uses `isObservable()`, because `instanceof` fails for an Observable of another copy of rxjs. */
export function isSource(value: unknown): value is SseSource {
  return isObservable(value) || isAsyncIterable(value);
}

/** @throws SseNotStreamableError */
export function toObservable(source: unknown, connection: Stream): Observable<unknown> {
  if (isObservable(source)) return source;
  if (isAsyncIterable(source)) return pulled(source, connection);
  throw new SseNotStreamableError(
    `a handler of @SseStream() must return an Observable or an AsyncIterable, got ${preview(source)}`,
  );
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}

/** Pulls the next value only while the connection can take it. */
function pulled(iterable: AsyncIterable<unknown>, connection: Stream): Observable<unknown> {
  return new Observable((subscriber) => {
    const iterator = iterable[Symbol.asyncIterator]();
    const pull = async (): Promise<void> => {
      let until = performance.now() + PULL_SLICE.ms;
      let asked: Promise<IteratorResult<unknown>> | undefined = Promise.resolve(iterator.next());
      // Hold the head: a handler may find out before its first value that it must refuse.
      const first = asked.catch(() => {});
      const { opening } = connection;
      opening?.hold(Promise.race([first, opening.patience()]));
      while (!subscriber.closed) {
        const { done, value } = await (asked ?? iterator.next());
        asked = undefined;
        if (done === true) return;
        subscriber.next(value);
        if (performance.now() < until && connection.bufferedBytes < PULL_SLICE.bytes) continue;
        await connection.writable();
        until = performance.now() + PULL_SLICE.ms;
      }
    };
    pull().then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(error),
    );
    return () => {
      // A pending iterator cannot be interrupted, and its later errors do not matter.
      void Promise.resolve(iterator.return?.()).catch(() => {});
    };
  });
}
