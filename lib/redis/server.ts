import { Logger } from '@nestjs/common';
import { SseError, SseOptionsError } from '../ground/errors.js';
import { REDIS_DEFAULTS, type RedisEventLogOptions } from './redis.options.js';
import { FORMAT } from './script.js';

/** Whether the error is permanent, so that trying again is of no use. */
export function isFinal(why: string): boolean {
  return /WRONGPASS|AUTH|NOPERM|invalid password|ENOTFOUND|cluster support disabled/i.test(why);
}

/**
 * Checks by its `INFO` whether the log can use this server. Returns whether to use sharded Pub/Sub,
 * which is for a Cluster only.
 * @throws SseOptionsError
 */
export function checkServer(
  info: string,
  { client, minReplicas = 0 }: RedisEventLogOptions,
): boolean {
  const field = (name: string): string =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = field('redis_version');
  const isCluster = field('redis_mode') === 'cluster' || field('cluster_enabled') === '1';
  const isClusterClient = client?.isCluster === true;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new SseOptionsError('redisEventLog', 'Redis 6.2 or newer', version);
  }
  if (isCluster && !isClusterClient) {
    throw new SseOptionsError(
      'redisEventLog.client',
      '`new Cluster([…])` of ioredis, because this server is part of a Redis Cluster',
      'a client of one node',
    );
  }
  if (isClusterClient && minReplicas > 0) {
    const expected = '0 with a Cluster (set `min-replicas-to-write` on the servers instead)';
    throw new SseOptionsError('redisEventLog.minReplicas', expected, minReplicas);
  }
  const policy = field('maxmemory_policy');
  if (field('maxmemory') !== '0' && !['', 'noeviction'].includes(policy)) {
    logger.warn(
      `Redis may evict the history, because its maxmemory-policy is ${policy}; clients then get sse-gap. Set it to noeviction.`,
    );
  }
  return isCluster && major >= 7;
}

/** The error of a failed start, with the remedy. */
export function startError(why = 'no answer'): SseError {
  const remedy = /NOPERM/.test(why)
    ? 'allow the user `INFO`, `EVALSHA`, `EVAL` and the commands in the scripts, and `SUBSCRIBE`, on the keys and channels of the prefix'
    : /WRONGPASS|NOAUTH|AUTH|password/i.test(why)
      ? 'check the user name and password'
      : /cluster support disabled/i.test(why)
        ? 'pass `new Redis(…)` instead of `new Cluster([…])`'
        : 'start Redis, or check the host and port';
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `redisEventLog: cannot connect to Redis (${why}); ${remedy}`,
  );
}

/** The error for a store that this process cannot use, by what a script said of it. */
export function refusal(
  why: string,
  { prefix = REDIS_DEFAULTS.prefix, durable }: RedisEventLogOptions,
  meta: string,
): SseOptionsError | undefined {
  const format = /FORMAT (\w+)/.exec(why)?.[1];
  if (format !== undefined) {
    const expected =
      Number(format) > Number(FORMAT)
        ? `a log of format ${FORMAT} (choose another prefix, or upgrade this process)`
        : `a log of format ${FORMAT} (choose another prefix, or stop all processes of the older version and delete the key ${meta})`;
    return new SseOptionsError('redisEventLog.prefix', expected, `format ${format}`);
  }
  if (why.includes('NOIDENTITY')) {
    const expected =
      'true, because scripts cannot read `master_replid` in `INFO replication` of this server (set it only if the store never loses acknowledged writes)';
    return new SseOptionsError('redisEventLog.durable', expected, durable);
  }
  if (!/NOTOURS|WRONGTYPE/.test(why)) return undefined;
  const expected = 'a prefix that no other program uses';
  return new SseOptionsError('redisEventLog.prefix', expected, prefix);
}

const logger = new Logger('Sse');
