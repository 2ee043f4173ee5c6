import { exhaustMap, Observable, timer } from 'rxjs';
import { durationMs, required } from '../options/rules.js';

/**
 * For a source that can only be asked: calls `fn` at once and then every `intervalMs` milliseconds,
 * and emits what it answers. Calls never overlap: while one runs, the next is left out. Ends with
 * its subscriber; an error of `fn` ends it. Where the value is made by this app, `Broadcaster` is
 * the better source: polling repeats or misses items.
 * @throws SseOptionsError for an interval that is not a positive integer
 * @example `@SseStream('load') load() { return poll(1_000, () => os.loadavg()).pipe(map((data) => ({ data }))); }`
 * @publicApi
 */
export function poll<T>(intervalMs: number, fn: () => T | Promise<T>): Observable<T> {
  required(durationMs)('poll(intervalMs)', intervalMs);
  return timer(0, intervalMs).pipe(exhaustMap(async () => fn()));
}
