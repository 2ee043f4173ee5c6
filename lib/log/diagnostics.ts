import { channelOf } from '../ground/channels.js';

/**
 * The diagnostics channels of logs.
 * @publicApi
 */
export interface LogDiagnostics {
  /** Events of a hub stopped reaching this process, and why; `undefined` when they do again. */
  log: { readonly hub: string; readonly trouble: string | undefined };
}

export const diagnostics = { log: channelOf<LogDiagnostics['log']>('log') };
