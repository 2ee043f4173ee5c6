import { Registry } from '../../lib/connection/registry.js';
import type { ConnectionsOptions } from '../../lib/connection/connections.options.js';

/** The connections of a process that shares its hub with no other. */
export function openRegistry(options?: ConnectionsOptions): Registry {
  return new Registry({ revoke: async () => {}, onRevoke() {} }, options);
}
