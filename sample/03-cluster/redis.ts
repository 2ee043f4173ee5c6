/** Set by the primary. */
export const REDIS_URL = process.env['REDIS_URL'] ?? '';

/**
 * Whether a restart of Redis loses nothing that it acknowledged. Only the sample's own is known to
 * be so.
 */
export const IS_DURABLE = process.env['REDIS_IS_DURABLE'] === '1';

/** What the names of all keys begin with. */
export const PREFIX = 'sample-03';
