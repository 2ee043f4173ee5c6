import { SseError } from '../ground/errors.js';

export function unavailable(why = 'no connection', cause?: unknown): SseError {
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `Redis refused the call or did not answer (${why}); try again, and repeat a publish with the same \`key\``,
    { cause },
  );
}

/** Rejects if the call takes longer than `timeoutMs`. The call itself is not cancelled. */
export function limited<T>(call: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), timeoutMs);
  });
  return Promise.race([call, late]).finally(() => clearTimeout(timer));
}

/** `begin` gets the functions that settle the promise, and returns a function that cleans up. */
export function within(
  timeoutMs: number,
  begin: (resolve: () => void, reject: (error: Error) => void) => () => void,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new Error('timed out'))), timeoutMs);
    const end = begin(
      () => settle(resolve),
      (error) => settle(() => reject(error)),
    );
    function settle(how: () => void): void {
      clearTimeout(timer);
      end();
      how();
    }
  });
}
