import { channelOf } from '../ground/channels.js';

/**
 * The messages of the diagnostics channels about logs.
 * @publicApi
 */
export interface LogDiagnostics {
  /** Events of a hub do not reach this process, for this reason. `undefined`: they do again. */
  log: { readonly hub: string; readonly trouble: string | undefined };
}

export const diagnostics = { log: channelOf<LogDiagnostics['log']>('log') };
