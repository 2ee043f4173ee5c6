import { Logger } from '@nestjs/common';

const logger = new Logger('Sse');

/** An error of one receiver must not keep an event from the others. */
export function guarded<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    logError(error);
    return undefined;
  }
}

/** The logger may be the app's, and may throw as well. */
export function logError(error: unknown): void {
  try {
    logger.error(error);
  } catch {
    // Nothing is left to report it to.
  }
}
