import * as rules from '../options/rules.js';

/**
 * An `ioredis` client, 5 or 6: `new Redis(…)` or `new Cluster(…)`. It is only copied, with
 * `duplicate()`: each log makes three connections of its own and closes them.
 * @publicApi
 */
export interface RedisClient {
  readonly isCluster?: boolean;
  /** A further connection with the same options. */
  duplicate(...options: never[]): unknown;
}

/**
 * What `redisEventLog()` takes.
 * @publicApi
 */
export interface RedisEventLogOptions {
  /** How to connect; for TLS, a Cluster or Sentinels. Either this or `url`. */
  client?: RedisClient;
  /** `redis://…` or `rediss://…`; needs `ioredis` to be installed. Either this or `client`. */
  url?: string;
  /**
   * What the names of all keys and channels begin with; one per app that shares the Redis.
   * @default 'sse'
   */
  prefix?: string;
  /**
   * A publish resolves only when so many replicas have the event (`WAIT`), so that a fail-over to
   * one of them does not lose it. Not with a Cluster, where the server's `min-replicas-to-write`
   * does it.
   * @default 0
   */
  minReplicas?: number;
  /**
   * `true`: the store never loses what it acknowledged, so its history stays valid when a server
   * restarts or a replica takes over. That needs `appendfsync always`, or `minReplicas` with a
   * fail-over that never promotes a replica that lags. `false`: each restart and each fail-over
   * ends the history, and clients are told of a gap with the reason `epoch`. All processes of a hub
   * need the same value.
   * @default false
   */
  durable?: boolean;
  /**
   * How often it is checked that events arrive, in milliseconds. When nothing has come for twice as
   * long, a probe goes through the publish path; after two that do not arrive the subscription is
   * made again.
   * @default 4_000
   */
  probeIntervalMs?: number;
}

/** What applies where nothing is set. */
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
