import { Logger } from '@nestjs/common';
import { describe, SseClosedError, SseError, SseOptionsError } from '../errors.js';
import type { RedisClient, RedisEventLogOptions } from './redis.options.js';
import type { Script } from './scripts.js';

/** The part of `ioredis` that is used, the same in 5 and 6, for a server and for a Cluster. */
interface Connection {
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

/** What the other end of a link is told. */
export interface LinkListener {
  message(text: string): void;
  /** From now on messages come; those of before may be missing. */
  subscribed(): void;
  /** No messages come, until `subscribed()`. */
  away(why: string): void;
}

/** No call takes longer. */
export const CALL_TIMEOUT_MS = 2_000;
const WAIT_TIMEOUT_MS = 1_000;
/** How long a start waits for a Redis that is starting too. */
const START_TIMEOUT_MS = 5_000;
const MAX_RETRY_MS = 2_000;
const MIN_VERSION = [6, 2];

/** What is wrong will still be wrong in five seconds. */
const FINAL = /WRONGPASS|NOAUTH|NOPERM|AUTH|invalid password|ENOTFOUND|cluster support disabled/i;

/**
 * Two connections to Redis: one asks, one listens. Both come back by themselves; while they are away a call waits for them, but
 * not for longer than 2 s.
 */
export class Link {
  private copy: CopyClient | undefined;
  private asking: Connection | undefined;
  private listening: Connection | undefined;
  private readonly waitingForReady = new Set<() => void>();
  private isClosed = false;
  private lastError: string | undefined;
  /** Of the server: with sharded Pub/Sub only the processes that follow a hub of its slot get its events. */
  private isSharded = false;

  constructor(
    private readonly channel: string,
    private readonly options: RedisEventLogOptions,
    private readonly listener: LinkListener,
  ) {}

  get publishCommand(): string {
    return this.isSharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /** @throws SseError `SSE_LOG_UNAVAILABLE` or `SSE_OPTIONS`, within 5 s, where it will not work */
  async open(): Promise<void> {
    this.copy = await this.copier();
    const asking = (this.asking = this.connectionFrom(this.copy));
    asking.on('ready', () => {
      for (const go of this.waitingForReady) go();
    });
    try {
      await this.started(asking);
      this.isSharded = await this.checkServer(asking);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Resolves when messages come. @throws SseError `SSE_LOG_UNAVAILABLE`, within 5 s */
  async listen(): Promise<void> {
    if (this.copy === undefined) throw new SseClosedError('the hub');
    const listening = this.connectionFrom(this.copy);
    this.listening = listening;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(startError(this.lastError)), START_TIMEOUT_MS);
      timer.unref();
      const isOurs = (): boolean => this.listening === listening && !this.isClosed;
      listening.on('ready', () => {
        this.subscribe(listening)
          .then(() => {
            clearTimeout(timer);
            if (isOurs()) this.listener.subscribed();
            return resolve();
          })
          // The next connection tries again.
          .catch((error: unknown) => {
            this.lastError = describe(error);
            if (FINAL.test(this.lastError)) reject(startError(this.lastError));
          });
      });
      listening.on(this.isSharded ? 'smessage' : 'message', (_channel: string, text: string) => {
        if (isOurs()) this.listener.message(text);
      });
      listening.on('close', () => {
        if (isOurs()) this.listener.away(this.lastError ?? 'the connection was closed');
      });
      // Why it fails is told as an 'error', and that it is over as a 'close'.
      listening.connect().catch(() => {});
    });
  }

  /** Makes the subscription again, on a new connection. */
  listenAnew(): void {
    this.listening?.disconnect();
    this.listen().catch(() => {});
  }

  private subscribe(listening: Connection): Promise<unknown> {
    return this.isSharded ? listening.ssubscribe(this.channel) : listening.subscribe(this.channel);
  }

  /**
   * Runs a script; with `replicas`, waits until so many of them have what it wrote.
   * @throws SseError `SSE_LOG_UNAVAILABLE` within 2 s, or at the `deadline` of who has waited already; SseClosedError
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    replicas = 0,
    deadline = performance.now() + CALL_TIMEOUT_MS,
  ): Promise<unknown> {
    const asking = await this.ready(deadline);
    const params = [...keys, ...args];
    // Right behind the script and not after its reply: `WAIT` is for what this very connection has written.
    const wait = async (): Promise<void> => {
      if (replicas === 0) return;
      const have = Number(await asking.call('WAIT', String(replicas), String(WAIT_TIMEOUT_MS)));
      if (have < replicas) throw new Error(`it reached ${have} of ${replicas} replicas`);
    };
    const send = (): Promise<[unknown, void]> =>
      Promise.all([asking.evalsha(script.sha, keys.length, ...params), wait()]);
    const sendAgain = async (error: unknown): Promise<[unknown, void]> => {
      const why = describe(error);
      if (why.includes('NOSCRIPT')) {
        return Promise.all([asking.eval(script.lua, keys.length, ...params), wait()]);
      }
      // The link broke, and nothing was sent yet.
      if (!why.includes("isn't writeable")) throw error;
      await this.becomingReady(deadline - performance.now());
      return send().catch(sendAgain);
    };
    const call = send().catch(sendAgain);
    const [reply] = await this.reply(call, deadline);
    return reply;
  }

  close(): void {
    this.isClosed = true;
    this.asking?.disconnect();
    this.listening?.disconnect();
  }

  private async ready(deadline: number): Promise<Connection> {
    const { asking } = this;
    if (this.isClosed || asking === undefined) throw new SseClosedError('the hub');
    if (asking.status !== 'ready') await this.becomingReady(deadline - performance.now());
    return asking;
  }

  private becomingReady(timeoutMs: number): Promise<void> {
    return within(timeoutMs, (resolve) => {
      this.waitingForReady.add(resolve);
      return () => this.waitingForReady.delete(resolve);
    }).catch(() => {
      throw this.isClosed ? new SseClosedError('the hub') : unavailable(this.lastError);
    });
  }

  private async reply<T>(call: Promise<T>, deadline = Infinity): Promise<T> {
    try {
      const rest = deadline - performance.now();
      // Each command has its own limit; a call that had to wait, or that a Cluster sends on, has less left.
      const isLimited = rest > CALL_TIMEOUT_MS - 10 && this.options.client?.isCluster !== true;
      return await (isLimited ? call : limited(call, Math.min(rest, CALL_TIMEOUT_MS)));
    } catch (error) {
      if (this.isClosed) throw new SseClosedError('the hub');
      const text = describe(error);
      // Nothing comes through this connection, or it leads to a server that is a replica now.
      const isUseless = /timed out|READONLY/i.test(text);
      if (isUseless && this.asking?.status === 'ready') this.asking.disconnect(true);
      throw error instanceof SseError ? error : unavailable(text, error);
    }
  }

  private connectionFrom(copy: CopyClient): Connection {
    const connection = copy();
    connection.on('error', (error: Error & { lastNodeError?: Error }) => {
      this.lastError = describe(error.lastNodeError ?? error);
    });
    return connection;
  }

  private async copier(): Promise<CopyClient> {
    const { url } = this.options;
    const client = this.options.client ?? (await clientOf(url ?? ''));
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
    const retry = (times: number): number =>
      Math.random() * Math.min(MAX_RETRY_MS, 50 * 2 ** times);
    const reconnecting = { retryStrategy: retry, enableOfflineQueue: false };
    const duplicate = client.duplicate.bind(client) as (...options: unknown[]) => unknown;
    return client.isCluster
      ? () => {
          const cluster = {
            keyPrefix: '',
            lazyConnect: true,
            clusterRetryStrategy: retry,
            enableOfflineQueue: false,
            shardedSubscribers: this.isSharded,
            redisOptions: { ...credentialsOf(client), ...own },
          };
          return duplicate([], cluster) as Connection;
        }
      : () => duplicate({ ...own, ...reconnecting }) as Connection;
  }

  /** Waits for a Redis that may be starting too, but not where waiting does not help. */
  private async started(connection: Connection): Promise<void> {
    connection.connect().catch((error: Error & { lastNodeError?: Error }) => {
      this.lastError ??= describe(error.lastNodeError ?? error);
    });
    try {
      await within(START_TIMEOUT_MS, (resolve, reject) => {
        const failed = (): void => {
          if (FINAL.test(this.lastError ?? '')) reject(new Error(this.lastError));
        };
        connection.on('ready', resolve).on('error', failed).on('close', failed).on('end', failed);
        return () => {
          connection.off('ready', resolve).off('error', failed).off('close', failed);
          connection.off('end', failed);
        };
      });
    } catch (error) {
      throw startError(this.lastError ?? describe(error));
    }
  }

  /** Answers whether the server has sharded Pub/Sub, in a Cluster. */
  private async checkServer(connection: Connection): Promise<boolean> {
    const info = String(await this.reply(connection.call('INFO')));
    const field = (name: string): string =>
      new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
    const version = field('redis_version');
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const isCluster = field('redis_mode') === 'cluster' || field('cluster_enabled') === '1';
    const isClusterClient = this.options.client?.isCluster === true;
    if (
      major < (MIN_VERSION[0] ?? 0) ||
      (major === MIN_VERSION[0] && minor < (MIN_VERSION[1] ?? 0))
    ) {
      throw new SseOptionsError('redisEventLog', 'Redis 6.2 or newer', version);
    }
    if (isCluster && !isClusterClient) {
      throw new SseOptionsError(
        'redisEventLog.client',
        '`new Cluster([…])` of ioredis for a Redis Cluster',
        'a client of one node',
      );
    }
    if (isClusterClient && (this.options.minReplicas ?? 0) > 0) {
      const expected = "0 with a Cluster; set the servers' `min-replicas-to-write`";
      throw new SseOptionsError('redisEventLog.minReplicas', expected, this.options.minReplicas);
    }
    const policy = field('maxmemory_policy');
    if (field('maxmemory') !== '0' && !['', 'noeviction'].includes(policy)) {
      logger.warn(
        `Redis may evict history (maxmemory-policy ${policy}): clients are told of gaps then; noeviction keeps it`,
      );
    }
    return isCluster && major >= 7;
  }
}

const logger = new Logger('Sse');

type CopyClient = () => Connection;

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

export function unavailable(why = 'no connection', cause?: unknown): SseError {
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `Redis did not take or answer it (${why}); try again, for a publish with the same \`key\``,
    { cause },
  );
}

function startError(why = 'no answer'): SseError {
  const remedy = /NOPERM/.test(why)
    ? 'allow the user `INFO`, scripts (`EVALSHA`, `EVAL` and what they call) and `SUBSCRIBE` on keys and channels of the prefix'
    : /WRONGPASS|NOAUTH|AUTH|password/i.test(why)
      ? 'correct the user name and password'
      : /cluster support disabled/i.test(why)
        ? 'pass `new Redis(…)` in place of `new Cluster([…])`'
        : 'start Redis, or correct the host and port';
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `redisEventLog: no connection to Redis (${why}); ${remedy}`,
  );
}

function limited<T>(call: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), timeoutMs);
  });
  return Promise.race([call, late]).finally(() => clearTimeout(timer));
}

/** Calls `begin` with what settles it; what that answers is called at the end. */
export function within(
  timeoutMs: number,
  begin: (resolve: () => void, reject: (error: Error) => void) => () => void,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new Error('timed out'))), timeoutMs);
    const end = begin(
      () => settle(resolve),
      (error) => settle(() => reject(error)),
    );
    function settle(how: () => void): void {
      clearTimeout(timer);
      end();
      how();
    }
  });
}
