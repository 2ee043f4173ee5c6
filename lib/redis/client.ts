import { SseError } from '../errors.js';
import type { RedisClient, RedisEventLogOptions } from './redis.options.js';

/** The part of `ioredis` that is used, the same in 5 and 6, for a server and for a Cluster. */
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

/** No call takes longer. */
export const CALL_TIMEOUT_MS = 2_000;
const MAX_RETRY_MS = 2_000;

/** A further connection of our own; in a Cluster, for sharded Pub/Sub or for any. */
export type CopyClient = (isSharded: boolean) => Connection;

/** @throws SseError `SSE_OPTIONS` where `ioredis` is needed and not there */
export async function copier({
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
    commandTimeout: CALL_TIMEOUT_MS,
    connectTimeout: CALL_TIMEOUT_MS,
    disconnectTimeout: 100,
  };
  const retry = (times: number): number => Math.random() * Math.min(MAX_RETRY_MS, 50 * 2 ** times);
  const duplicate = client.duplicate.bind(client) as (...options: unknown[]) => Connection;
  if (!client.isCluster) {
    return () => duplicate({ ...own, retryStrategy: retry, enableOfflineQueue: false });
  }
  return (isSharded) =>
    duplicate([], {
      keyPrefix: '',
      lazyConnect: true,
      clusterRetryStrategy: retry,
      enableOfflineQueue: false,
      shardedSubscribers: isSharded,
      redisOptions: { ...credentialsOf(client), ...own },
    });
}

async function clientOf(url: string): Promise<RedisClient> {
  try {
    const { Redis } = (await import('ioredis')) as unknown as {
      Redis: new (url: string, options: object) => RedisClient;
    };
    return new Redis(url, { lazyConnect: true });
  } catch (cause) {
    const remedy = 'redisEventLog({ url }) needs ioredis, 5 or 6: `npm install ioredis`';
    throw new SseError('SSE_OPTIONS', remedy, { cause });
  }
}

/** `duplicate()` of a Cluster replaces all options of its nodes. */
function credentialsOf(client: RedisClient): object {
  return (client as { options?: { redisOptions?: object } }).options?.redisOptions ?? {};
}
