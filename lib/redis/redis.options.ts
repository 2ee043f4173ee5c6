import * as rules from '../options/rules.js';

/**
 * A client of `ioredis` 5 or 6: `new Redis(…)` or `new Cluster(…)`. It is only copied with
 * `duplicate()`. Each log creates three connections, and closes them itself.
 * @publicApi
 */
export interface RedisClient {
  readonly isCluster?: boolean;
  /** Creates a connection with the same options. */
  duplicate(...options: never[]): unknown;
}

/**
 * The options of `redisEventLog()`. Either `client` or `url` is required.
 * @publicApi
 */
export interface RedisEventLogOptions {
  /** A client to copy, for TLS options, a Cluster or Sentinels. */
  client?: RedisClient;
  /** The URL of the server: `redis://…` or `rediss://…`. */
  url?: string;
  /**
   * The prefix of all keys and channels. Each app that shares the Redis needs its own.
   * @default 'sse'
   */
  prefix?: string;
  /**
   * The number of replicas that must have an event (`WAIT`) before its publish resolves, so that a
   * fail-over to one of them does not lose it. Not for a Cluster; set `min-replicas-to-write` on
   * its servers.
   * @default 0
   */
  minReplicas?: number;
  /**
   * Whether the store never loses acknowledged writes. All processes of a hub need the same value.
   *
   * With `true` the history stays valid after a restart or a fail-over. This needs `appendfsync
   * always`, or `minReplicas` and a fail-over that never promotes a lagging replica. With `false`
   * every restart and fail-over ends the history, and clients get `sse-gap` with the reason
   * `epoch`.
   * @default false
   */
  durable?: boolean;
  /**
   * How often to check that events arrive, in milliseconds. After twice this time without an event
   * a probe is published. If two probes do not arrive, the log subscribes again.
   * @default 4_000
   */
  probeIntervalMs?: number;
}

/** The defaults of these options. */
export const REDIS_DEFAULTS = Object.freeze({ prefix: 'sse', probeIntervalMs: 4_000 });

const client = rules.rule(
  'an ioredis client: `new Redis(…)` or `new Cluster(…)`',
  (value) => typeof (value as { duplicate?: unknown } | null)?.duplicate === 'function',
);
const url = rules.rule(
  'a URL that begins with redis:// or rediss://',
  (value) =>
    typeof value === 'string' &&
    URL.canParse(value) &&
    ['redis:', 'rediss:'].includes(new URL(value).protocol),
);

/** @throws SseOptionsError */
export const checkRedisOptions = rules.object({
  client,
  url,
  prefix: rules.aText,
  minReplicas: rules.durationMsOrZero,
  durable: rules.trueOrFalse,
  probeIntervalMs: rules.durationMs,
});
