import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { SSE_CHANNELS } from '../ground/channels.js';
import type { SseDiagnostics } from './diagnostics.js';
import { describe } from '../ground/errors.js';
import { RareLine } from '../ground/warnings.js';

/** Listeners of the library itself, by channel. */
export type DiagnosticsListeners = {
  readonly [Name in keyof SseDiagnostics]?: (message: SseDiagnostics[Name]) => void;
};

const logger = new Logger('Sse');

/**
 * Subscribes the library's own listeners, and returns a function that unsubscribes them. An error
 * in a listener is logged at most once per 10 s. It must not end the process.
 */
export function listen(who: string, listeners: DiagnosticsListeners): () => void {
  const failures = new RareLine();
  const subscribed = Object.entries(listeners).map(([name, listener]) => {
    const guarded = (message: unknown): void => {
      try {
        (listener as (message: unknown) => void)(message);
      } catch (error) {
        if (failures.again() > 0) logger.warn(`${who} failed on "${name}": ${describe(error)}`);
      }
    };
    return [SSE_CHANNELS[name as keyof SseDiagnostics], guarded] as const;
  });
  for (const [name, listener] of subscribed) subscribe(name, listener);
  return () => {
    for (const [name, listener] of subscribed) unsubscribe(name, listener);
  };
}
