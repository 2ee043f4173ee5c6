import { exhaustMap, Observable, timer } from 'rxjs';
import { durationMs, required } from '../options/rules.js';

/**
 * Polls a source: calls `fn` at once and then every `intervalMs` milliseconds, and emits each
 * result. Calls never overlap: a call that is due while another runs is skipped. Polling ends when
 * the subscriber unsubscribes or `fn` fails. If your app produces the values itself, publish them
 * with `Broadcaster` instead, because polling can repeat or miss values.
 * @throws SseOptionsError if the interval is not a positive integer
 * @example `@SseStream('load') load() { return poll(1_000, () => os.loadavg()).pipe(map((data) => ({ data }))); }`
 * @publicApi
 */
export function poll<T>(intervalMs: number, fn: () => T | Promise<T>): Observable<T> {
  required(durationMs)('poll(intervalMs)', intervalMs);
  return timer(0, intervalMs).pipe(exhaustMap(async () => fn()));
}
