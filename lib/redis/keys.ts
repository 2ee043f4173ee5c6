import { REDIS_DEFAULTS, type RedisEventLogOptions } from './redis.options.js';

/**
 * The version of the command for other languages. It is a promise: what a version takes and answers
 * never changes. Another meaning gets another version, and so another key, beside this one.
 */
const COMMAND_VERSION = '1';

/** The keys of a hub, its channel, and the prefixes of its keys for rooms. See `scripts.ts`. */
export interface HubKeys {
  /** The prefix of all of them. */
  readonly hub: string;
  readonly channel: string;
  readonly meta: string;
  readonly rooms: string;
  readonly oldest: string;
  readonly ends: string;
  readonly room: string;
  readonly key: string;
  readonly entries: string;
  readonly order: string;
  readonly gone: string;
  /** The text of the command for other languages. */
  readonly command: string;
}

/** The braces put all keys of a hub into one slot of a Cluster. */
export function keysOf(name: string, options: RedisEventLogOptions): HubKeys {
  const { client, prefix = REDIS_DEFAULTS.prefix } = options;
  const clientPrefix =
    (client as { options?: { keyPrefix?: string } } | undefined)?.options?.keyPrefix ?? '';
  const hub = `${clientPrefix}${prefix}:{hub:${name}}:`;
  return {
    hub,
    channel: `${hub}events`,
    meta: `${hub}meta`,
    rooms: `${hub}rooms`,
    oldest: `${hub}oldest`,
    ends: `${hub}ends`,
    room: `${hub}room:`,
    key: `${hub}key:`,
    entries: `${hub}entries:`,
    order: `${hub}order:`,
    gone: `${hub}gone:`,
    command: `${hub}publish:${COMMAND_VERSION}`,
  };
}
