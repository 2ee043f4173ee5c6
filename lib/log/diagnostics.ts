import { channelOf } from '../ground/channels.js';

/**
 * What the diagnostics channels say of logs.
 * @publicApi
 */
export interface LogDiagnostics {
  /** Events of a hub do not reach this process, and why; `undefined`: they do again. */
  log: { readonly hub: string; readonly trouble: string | undefined };
}

export const diagnostics = { log: channelOf<LogDiagnostics['log']>('log') };
