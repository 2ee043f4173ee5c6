/** Set by the primary. */
export const REDIS_URL = process.env['REDIS_URL'] ?? '';

/** What the names of all keys begin with. */
export const PREFIX = 'sample-03';
