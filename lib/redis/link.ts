import { describe, SseClosedError, SseError } from '../errors.js';
import { CALL_TIMEOUT_MS, copier, type Connection, type CopyClient } from './client.js';
import type { RedisEventLogOptions } from './redis.options.js';
import type { Script } from './scripts.js';
import { checkServer, isFinal, startError } from './server.js';

/** What the other end of a link is told. */
export interface LinkListener {
  message(text: string): void;
  /** From now on messages come; those of before may be missing. */
  subscribed(): void;
  /** No messages come, until `subscribed()`. */
  away(why: string): void;
}

const WAIT_TIMEOUT_MS = 1_000;
/** How long a start waits for a Redis that is starting too. */
const START_TIMEOUT_MS = 5_000;

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
  /** The connection that asks is of no use, and its end has been asked for. */
  private isGivenUp = false;
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
    this.copy = await copier(this.options);
    const asking = (this.asking = this.connectionFrom(this.copy));
    asking.on('ready', () => {
      this.isGivenUp = false;
      for (const go of this.waitingForReady) go();
    });
    try {
      await this.started(asking);
      const info = String(await this.reply(asking.call('INFO')));
      this.isSharded = checkServer(info, this.options);
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
            if (isFinal(this.lastError)) reject(startError(this.lastError));
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
      if (isUseless && !this.isGivenUp && this.asking?.status === 'ready') {
        this.isGivenUp = true;
        this.asking.disconnect(true);
      }
      throw error instanceof SseError ? error : unavailable(text, error);
    }
  }

  private connectionFrom(copy: CopyClient): Connection {
    const connection = copy(this.isSharded);
    connection.on('error', (error: Error & { lastNodeError?: Error }) => {
      this.lastError = describe(error.lastNodeError ?? error);
    });
    return connection;
  }

  /** Waits for a Redis that may be starting too, but not where waiting does not help. */
  private async started(connection: Connection): Promise<void> {
    connection.connect().catch((error: Error & { lastNodeError?: Error }) => {
      this.lastError ??= describe(error.lastNodeError ?? error);
    });
    try {
      await within(START_TIMEOUT_MS, (resolve, reject) => {
        const failed = (): void => {
          if (isFinal(this.lastError ?? '')) reject(new Error(this.lastError));
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
}

export function unavailable(why = 'no connection', cause?: unknown): SseError {
  return new SseError(
    'SSE_LOG_UNAVAILABLE',
    `Redis did not take or answer it (${why}); try again, for a publish with the same \`key\``,
    { cause },
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
