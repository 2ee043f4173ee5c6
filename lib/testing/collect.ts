import { from, mergeMap, take, type Observable } from 'rxjs';
import { toObservable } from '../nest/handler-result.js';
import { streamOf } from '../connection/current-stream.js';
import { fakeConnection } from './fake-connection.js';
import { inspectValue } from './inspect-value.js';
import { DEFAULT_TIMEOUT_MS } from './watch.js';

/**
 * The return value of a handler of `@SseStream()`.
 * @publicApi
 */
export type StreamResult<T> =
  Observable<T> | AsyncIterable<T> | Promise<Observable<T> | AsyncIterable<T>>;

/**
 * Resolves with the first `count` values of a handler's result. Subscribes synchronously, and
 * unsubscribes when it has them. Rejects with the error of the source, or with one that says how
 * many values there were, if the source completes or `timeoutMs` passes first (default: 2 000;
 * `Infinity`: no timeout).
 * @example
 * ```ts
 * const prices = collect(controller.prices(), 2);
 * await controller.publish(42);
 * await controller.publish(43);
 * expect(await prices).toMatchObject([{ data: 42 }, { data: 43 }]);
 * ```
 * @publicApi
 */
export function collect<T>(
  result: StreamResult<T>,
  count: number,
  { timeoutMs = DEFAULT_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<T[]> {
  const values: T[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      const last = values.length === 0 ? '' : `; the last: ${inspectValue(values.at(-1))}`;
      reject(new Error(`${why}: got ${values.length} of ${count} values${last}`));
    };
    let timer: NodeJS.Timeout | undefined;
    const subscription = observe(result)
      .pipe(take(count))
      .subscribe({
        next: (value) => values.push(value),
        error: reject,
        complete: () => (values.length === count ? resolve(values) : fail('the source completed')),
      });
    if (timeoutMs !== Infinity && !subscription.closed) {
      timer = setTimeout(() => {
        subscription.unsubscribe();
        fail(`not within ${timeoutMs} ms`);
      }, timeoutMs);
      subscription.add(() => clearTimeout(timer));
    }
  });
}

/** Avoids promises if possible, because virtual time does not wait for them. */
function observe<T>(result: StreamResult<T>): Observable<T> {
  const open = (source: unknown): Observable<T> =>
    toObservable(source, streamOf(fakeConnection())) as Observable<T>;
  return result instanceof Promise ? from(result).pipe(mergeMap(open)) : open(result);
}
