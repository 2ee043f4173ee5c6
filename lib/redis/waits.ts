import { SseError } from '../ground/errors.js';
import { afterLimit } from '../ground/time-limit.js';

export function unavailable(why = 'no connection', cause?: unknown): SseError {
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `Redis refused the call or did not answer (${why}); try again, and repeat a publish with the same \`key\``,
    { cause },
  );
}

/** Rejects if the call takes longer than `timeoutMs`. The call itself is not cancelled. */
export function limited<T>(call: Promise<T>, timeoutMs: number): Promise<T> {
  // Each publish passes through here: `race()` and `finally()` would cost it several promises.
  return new Promise<T>((resolve, reject) => {
    const cancel = afterLimit(timeoutMs, () => reject(new Error('timed out')));
    call.then(
      (value) => {
        cancel();
        return resolve(value);
      },
      (error: Error) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** `begin` gets the functions that settle the promise, and returns a function that cleans up. */
export function within(
  timeoutMs: number,
  begin: (resolve: () => void, reject: (error: Error) => void) => () => void,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const cancel = afterLimit(timeoutMs, () => settle(() => reject(new Error('timed out'))));
    const end = begin(
      () => settle(resolve),
      (error) => settle(() => reject(error)),
    );
    function settle(how: () => void): void {
      cancel();
      end();
      how();
    }
  });
}
