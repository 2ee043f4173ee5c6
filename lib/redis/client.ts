import { describe, SseError } from '../ground/errors.js';
import { afterLimit } from '../ground/time-limit.js';
import type { RedisClient, RedisEventLogOptions } from './redis.options.js';

/** The part of `ioredis` in use, the same in versions 5 and 6, for a server and for a Cluster. */
export interface Connection {
  readonly status: string;
  readonly options?: { readonly keyPrefix?: string };
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  on(event: string, listener: (...args: never[]) => void): this;
  off(event: string, listener: (...args: never[]) => void): this;
  evalsha(sha: string, keys: number, ...args: string[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: string[]): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
}

/** The longest that a call of an app may take. */
export const CALL_TIMEOUT_MS = 2_000;
/** The limit of a repair, which reads much at once and which no app waits for. */
export const REPAIR_TIMEOUT_MS = 10_000;
const MAX_RETRY_MS = 2_000;

/** Creates another connection like the app's. */
export type CopyClient = (options?: {
  /** For sharded Pub/Sub in a Cluster. */
  readonly isSharded?: boolean;
}) => Connection;

/** @throws SseError `SSE_OPTIONS` if `ioredis` is needed and missing, or does not accept the URL */
export async function connectionFactory({
  client: given,
  url = '',
}: RedisEventLogOptions): Promise<CopyClient> {
  const client = given ?? (await clientOf(url));
  const own = {
    keyPrefix: '',
    lazyConnect: true,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // `Asking` limits the calls: a limit of ioredis ends before its socket is read after a stall.
    commandTimeout: undefined,
    connectTimeout: CALL_TIMEOUT_MS,
    disconnectTimeout: 100,
  };
  const retry = (times: number): number => Math.random() * Math.min(MAX_RETRY_MS, 50 * 2 ** times);
  const duplicate = client.duplicate.bind(client) as (...options: unknown[]) => Connection;
  if (!client.isCluster) {
    return () =>
      limitHandshake(duplicate({ ...own, retryStrategy: retry, enableOfflineQueue: false }));
  }
  return ({ isSharded = false } = {}) =>
    limitHandshake(
      duplicate([], {
        keyPrefix: '',
        lazyConnect: true,
        clusterRetryStrategy: retry,
        enableOfflineQueue: false,
        shardedSubscribers: isSharded,
        redisOptions: { ...credentialsOf(client), ...own },
      }),
    );
}

/**
 * Drops a connection whose server accepts it, but does not answer the commands with which `ioredis`
 * begins.
 */
function limitHandshake(connection: Connection): Connection {
  let cancel = (): void => {};
  connection.on('connect', () => {
    cancel();
    cancel = afterLimit(CALL_TIMEOUT_MS, () => connection.disconnect(true));
  });
  for (const event of ['ready', 'close', 'end']) connection.on(event, () => cancel());
  return connection;
}

async function clientOf(url: string): Promise<RedisClient> {
  const { Redis } = await ioredis();
  try {
    return new Redis(url, { lazyConnect: true });
  } catch (cause) {
    // Without the URL: it may hold a password.
    const remedy = 'percent-encode special characters, for example in the password';
    const what = `redisEventLog.url: ioredis rejects it (${describe(cause)}); ${remedy}`;
    throw new SseError('SSE_OPTIONS', what, { cause });
  }
}

interface IoRedis {
  readonly Redis: new (url: string, options: object) => RedisClient;
}

async function ioredis(): Promise<IoRedis> {
  try {
    return await import('ioredis');
  } catch (cause) {
    const isMissing = String((cause as { code?: string }).code).endsWith('MODULE_NOT_FOUND');
    const remedy = isMissing
      ? 'redisEventLog({ url }) needs ioredis 5 or 6; run `npm install ioredis`'
      : `ioredis cannot be loaded (${describe(cause)}); install it again`;
    throw new SseError('SSE_OPTIONS', remedy, { cause });
  }
}

/** `duplicate()` of a Cluster replaces all options of its nodes, including credentials. */
function credentialsOf(client: RedisClient): object {
  return (client as { options?: { redisOptions?: object } }).options?.redisOptions ?? {};
}
